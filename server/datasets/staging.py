"""From a folder to staged trees: inputs cleaned, labels and groups beside them, and everything that is odd found."""

import csv
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.outputs import TruthError
from evaluator.spec import Cells, Cohorts, Files, Maps, Task
from evaluator.spec import Challenge as Spec
from server.datasets.check import check_staged
from server.datasets.findings import Findings, LayoutError, some
from server.datasets.fomo_layout import Found, read
from server.datasets.headers import Clean, Geometry, NotNifti, clean
from server.datasets.labels import files_of
from server.datasets.models import Case
from server.datasets.participants import GROUPS
from server.datasets.tables import read_text
from server.settings import Settings

Progress = Callable[[int, int], None]
_LABEL_BYTES = 10_000


@dataclass(frozen=True)
class Trees:
    """The two folders of a dataset; `folder` is where they lie below the inputs and the references tree."""

    folder: Path
    inputs: Path
    references: Path

    @classmethod
    def of(cls, settings: Settings, folder: Path) -> "Trees":
        """The trees that lie, or are to lie, at `folder`."""
        return cls(folder, settings.inputs / folder, settings.references / folder)

    def make(self, settings: Settings) -> None:
        """Makes both, hidden from every other user of the host."""
        for root in (settings.inputs, settings.references):
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.inputs.mkdir(parents=True, mode=0o700)
        self.references.mkdir(parents=True, mode=0o700)

    def remove(self) -> None:
        """Removes both, and the folders above them that are empty then."""
        for tree in (self.inputs, self.references):
            shutil.rmtree(tree, ignore_errors=True)
            for above in list(tree.parents)[:3]:  # task, phase, challenge
                try:
                    above.rmdir()
                except OSError:
                    break

    def size(self) -> int:
        """Bytes of all files in both."""
        trees = (self.inputs, self.references)
        return sum(path.stat().st_size for tree in trees for path in tree.rglob("*") if path.is_file())


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
    trees = Trees.of(settings, Path(spec.challenge) / phase / task / str(uuid.uuid4()))
    writer = _Writer(trees, spec.tasks[task], findings)
    try:
        trees.make(settings)
        for number, volume in enumerate(found, 1):
            writer.add(volume)
            progress(number, len(found))
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
            _digest(writer.cases, trees.references),
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


class _Writer:
    """Writes case after case, and remembers what is wrong with any."""

    def __init__(self, trees: Trees, task: Task, findings: Findings) -> None:
        self.cases: list[Case] = []
        self._scans: dict[str, list[str]] = {}
        self._trees, self._task, self._findings = trees, task, findings
        self._names = {entry.key: entry.file for entry in task.all_inputs}
        self._rows: list[dict[str, str]] = []
        self._without_cohort: list[str] = []

    def add(self, one: Found) -> None:
        files, geometry = self._inputs(one)
        label = self._reference(one, geometry)
        self.cases.append(Case(ordinal=len(self.cases), name=one.case, files=files))
        self._rows.append({"case": one.case, "subject": one.subject, "label": label, **one.groups})

    def close(self) -> None:
        """Writes the table of references and names scans that came twice."""
        for names in self._scans.values():
            if len(names) > 1:
                what = "hold the very same scan; keep one of them"
                self._findings.error(some(names), what)
        if self._without_cohort:
            what = "have no cohort in participants.tsv, and it is their label"
            self._findings.error(some(self._without_cohort), what)
        path = self._trees.references / "references.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(
                file, ["case", "subject", "label", *GROUPS], restval="", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(self._rows)

    def _clean(self, path: Path, name: str) -> Clean | None:
        try:
            volume = clean(path, name)
        except NotNifti as error:
            self._findings.error(path, str(error))
            return None
        if volume.surplus:
            self._findings.warn(path, f"has {volume.surplus} bytes behind its voxels, which are left out")
        return volume

    def _inputs(self, one: Found) -> tuple[dict[str, Any], Geometry | None]:
        """The files of a case as its row names them, and its place, None where no input says it."""
        files: dict[str, Any] = {}
        first: Geometry | None = None
        for key, path in one.inputs.items():
            volume = self._clean(path, self._names[key])
            if volume is None:
                continue
            if first is not None and not volume.geometry.same_place(first):
                self._findings.error(path, "shape or affine differs from the other modalities of this case")
                continue
            first = volume.geometry
            files[key] = self._stored(one.case, key, volume)
            self._judge(path, volume)
        return files, first

    def _stored(self, case: str, key: str, volume: Clean) -> dict[str, Any]:
        place = Path(case) / self._names[key]
        target = self._trees.inputs / place
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(volume.data)
        stored: dict[str, Any] = {
            "path": str(self._trees.folder / place),
            "sha256": hashlib.sha256(volume.data).hexdigest(),
            "size": len(volume.data),
        }
        if not volume.constant and not volume.nowhere_finite:  # such images are alike whoever was scanned
            stored["voxels"] = volume.voxels
            names = self._scans.setdefault(volume.voxels, [])
            if case not in names:
                names.append(case)
        return stored

    def _judge(self, path: Path, volume: Clean) -> None:
        if volume.nowhere_finite:
            self._findings.warn(path, "no voxel is a finite number")
        elif volume.constant:
            self._findings.warn(path, "every voxel has the same value")

    def _reference(self, one: Found, geometry: Geometry | None) -> str:
        """The label of a case as references.csv has it; what is a file is written beside it."""
        labels = self._task.kind.labels
        if isinstance(labels, Cohorts):
            cohort = one.groups.get("cohort", "")
            if not cohort:
                self._without_cohort.append(one.case)
            return cohort
        if one.label is None:
            self._findings.error(one.place, f"there is no labels/…/{labels.files[0]} of it")
            return ""
        if isinstance(labels, Cells):
            return _label(self._task, labels, one.label, self._findings)
        if isinstance(labels, Maps):
            self._segmentation(one.case, one.label, geometry)
        else:
            self._file(one.case, one.label, labels)
        return ""

    def _file(self, case: str, label: Path, labels: Files) -> None:
        try:
            labels.read(self._task.output, label)
        except TruthError as error:
            self._findings.error(label, str(error))
            return
        shutil.copyfile(label, self._trees.references / f"{case}{labels.suffix}")

    def _segmentation(self, case: str, label: Path, geometry: Geometry | None) -> None:
        volume = self._clean(label, "seg.nii.gz")
        if volume is None:
            return
        if volume.constant:
            self._findings.warn(label, "the label map is empty, or one label everywhere")
        if geometry is not None and volume.geometry.shape != geometry.shape:
            what = f"shape {volume.geometry.shape}, but the inputs have {geometry.shape}"
            self._findings.error(label, what)
            return
        (self._trees.references / f"{case}.nii.gz").write_bytes(volume.data)


def _label(task: Task, labels: Cells, path: Path, findings: Findings) -> str:
    text = read_text(path, findings, most=_LABEL_BYTES)
    if text is None:
        return ""
    try:
        labels.read(task.output, text.strip())
    except TruthError as error:
        findings.error(path, str(error))
    return text.strip()


def _digest(cases: Sequence[Case], references: Path) -> str:
    """sha256 over both manifests: the inputs' digests in case order, and every file of the references tree."""
    inputs = [
        [case.name, {key: file["sha256"] for key, file in sorted(case.files.items())}] for case in cases
    ]
    content = json.dumps([inputs, files_of(references)], separators=(",", ":"))
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()
