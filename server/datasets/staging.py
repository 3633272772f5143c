"""From a folder to staged trees: inputs cleaned, labels and groups beside them, and everything that is odd found."""

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.spec import Challenge as Spec
from server.datasets.check import check_staged
from server.datasets.findings import Findings, LayoutError
from server.datasets.fomo_layout import Found, read
from server.datasets.labels import files_of
from server.datasets.models import Case
from server.datasets.trees import Trees
from server.datasets.writer import Writer
from server.settings import Settings

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """Cases that could be imported: their trees are written; `warnings` and `notes` say what is odd about them."""

    trees: Trees
    cases: list[Case]
    digest: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(
    spec: Spec, *, phase: str, task: str, source: Path, settings: Settings, progress: Progress
) -> Prepared:
    """Reads `source` and writes its cases into trees of their own.

    Raises:
        LayoutError: with everything that is wrong; nothing is left in the trees then.
    """
    findings = Findings()
    name_of_folder(spec, task, source, findings)
    found = read(source, spec.tasks[task], findings)

    def fill(writer: Writer) -> None:
        for number, volume in enumerate(found, 1):
            writer.add(volume)
            progress(number, len(found))

    return build(spec, phase, task, found=found, fill=fill, settings=settings, findings=findings)


def build(
    spec: Spec,
    phase: str,
    task: str,
    *,
    found: Sequence[Found],
    fill: Callable[[Writer], None],
    settings: Settings,
    findings: Findings,
) -> Prepared:
    """Trees of their own, which `fill` writes, looked at as the evaluator will; `found` are where the cases come from.

    Raises:
        LayoutError: as `prepare`.
    """
    trees = Trees.of(settings, Path(spec.challenge) / phase / task / str(uuid.uuid4()))
    findings.below = f"{trees.references}/"
    writer = Writer(trees, spec.tasks[task], findings)
    try:
        trees.make(settings)
        fill(writer)
        writer.close()
        if not findings.errors:
            check_staged(
                spec,
                task,
                phase,
                found=found,
                cases=writer.cases,
                references=trees.references,
                settings=settings,
                findings=findings,
            )
        if findings.errors:
            raise LayoutError(findings.errors, findings.warnings)
        return Prepared(
            trees,
            writer.cases,
            digest_of(writer.cases, trees.references),
            tuple(findings.warnings),
            tuple(findings.notes),
        )
    except OSError as error:
        trees.remove()
        what = f"{error.filename or trees.folder}: {error.strerror or error}"
        raise LayoutError([*findings.errors, what], findings.warnings) from None
    except BaseException:
        trees.remove()
        raise


def name_of_folder(spec: Spec, task: str, source: Path, findings: Findings) -> None:
    """Warns where the folder's name says another task of the challenge than the one that was given."""
    said = source.resolve().name.lower().replace("_", "").replace("-", "").replace(" ", "")
    if said != task and said in spec.tasks:
        findings.warn(source, f"the folder's name says {said}, and it is imported as {task}")


def digest_of(cases: Sequence[Case], references: Path) -> str:
    """sha256 over both manifests: the inputs' digests in case order, and every file of the references tree."""
    inputs = [
        [case.name, {key: file["sha256"] for key, file in sorted(case.files.items())}] for case in cases
    ]
    content = json.dumps([inputs, files_of(references)], separators=(",", ":"))
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()
