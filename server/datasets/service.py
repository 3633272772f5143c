"""Importing datasets and finding the one in use."""

import csv
import hashlib
import json
import math
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluator.spec import EmbeddingOutput, NumberOutput, ScoresOutput, SegmentationOutput, Task
from server import events
from server.challenges.models import Challenge
from server.challenges.service import get_phase, require_task
from server.datasets import fomo_layout
from server.datasets.fomo_layout import GROUPS, Found, LayoutError
from server.datasets.headers import Geometry, NotNifti, reheader
from server.datasets.models import NEWEST_FIRST, Case, Dataset
from server.errors import NotFound
from server.settings import Settings

Progress = Callable[[int, int], None]


def current_dataset(session: Session, challenge: Challenge, phase: str, task: str) -> Dataset:
    """The dataset that a submission to this phase and task runs on."""
    dataset = session.scalar(
        select(Dataset)
        .where(Dataset.challenge_id == challenge.id, Dataset.phase == phase, Dataset.task == task)
        .order_by(*NEWEST_FIRST)
        .limit(1)
    )
    if dataset is None:
        detail = f"Phase {phase!r} has no cases for {task} yet; the organizers have to import them first."
        raise NotFound("no_dataset", detail)
    return dataset


def import_fomo(
    session: Session,
    challenge: Challenge,
    *,
    phase: str,
    task: str,
    source: Path,
    settings: Settings,
    actor: str,
    progress: Progress = lambda done, of: None,
) -> tuple[Dataset, bool]:
    """Imports a Task_N folder in the FOMO layout; the same content again changes nothing.

    Inputs go to the inputs tree with clean headers, labels and groups to the references tree only.
    Returns the dataset and whether it is new.

    Raises:
        LayoutError: with everything that is wrong; nothing has been imported then.
    """
    get_phase(challenge.spec, phase)
    require_task(challenge.spec, task)
    found, problems = _read(source, challenge.spec.tasks[task])
    name = str(uuid.uuid4())
    staged = _Trees(settings, Path(challenge.slug) / phase / task / name)
    try:
        cases = _write(staged, challenge.spec.tasks[task], found, progress, problems)
        digest = _digest(cases, staged.references)
        old = session.scalar(
            select(Dataset).where(
                Dataset.challenge_id == challenge.id,
                Dataset.phase == phase,
                Dataset.task == task,
                Dataset.digest == digest,
            )
        )
        if old is not None:
            staged.remove()
            return old, False
        dataset = Dataset(
            challenge_id=challenge.id,
            phase=phase,
            task=task,
            digest=digest,
            folder=str(staged.folder),
            cases=cases,
        )
        session.add(dataset)
        session.flush()
        events.record(session, "dataset", dataset.id, actor=actor, what="imported", why=digest)
    except BaseException:
        staged.remove()
        raise
    return dataset, True


def inputs_manifest(dataset: Dataset) -> dict[str, Any]:
    """The inputs manifest in the evaluator's format; the dataset's digest seeds its resampling."""
    cases = [
        {
            "case": case.name,
            "files": {key: {"path": one["path"], "sha256": one["sha256"]} for key, one in case.files.items()},
        }
        for case in dataset.cases
    ]
    return {"dataset": dataset.digest, "cases": cases}


class _Trees:
    """The two folders of a dataset that is being imported."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder = folder
        self.inputs = settings.inputs / folder
        self.references = settings.references / folder
        for root in (settings.inputs, settings.references):
            root.mkdir(parents=True, exist_ok=True, mode=0o700)  # hidden from every other user of the host
        self.inputs.mkdir(parents=True, mode=0o700)
        self.references.mkdir(parents=True, mode=0o700)

    def remove(self) -> None:
        shutil.rmtree(self.inputs, ignore_errors=True)
        shutil.rmtree(self.references, ignore_errors=True)


def _read(source: Path, task: Task) -> tuple[Sequence[Found], list[str]]:
    """The sessions, and what is wrong with the layout: the files that are there are looked into all the same."""
    try:
        return fomo_layout.read(source, task), []
    except LayoutError as error:
        if not error.found:
            raise
        return error.found, error.problems


def _write(
    trees: _Trees, task: Task, found: Sequence[Found], progress: Progress, problems: Sequence[str]
) -> list[Case]:
    wrong = list(problems)
    cases, rows = [], []
    for ordinal, one in enumerate(found):
        files, geometry = _write_inputs(trees, task, one, wrong)
        try:
            label = _write_reference(trees, task, one, geometry)
        except (NotNifti, ValueError) as error:
            wrong.append(str(error))
            continue
        cases.append(Case(ordinal=ordinal, name=one.case, files=files))
        rows.append({"case": one.case, "subject": one.subject, "label": label, **one.groups})
        progress(ordinal + 1, len(found))
    if wrong:
        raise LayoutError(wrong)
    with (trees.references / "references.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["case", "subject", "label", *GROUPS], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return cases


def _write_inputs(
    trees: _Trees, task: Task, one: Found, wrong: list[str]
) -> tuple[dict[str, Any], Geometry | None]:
    """What is written of a case, and its place, None where no input says it; `wrong` takes what is not right."""
    names = {entry.key: entry.file for entry in task.all_inputs}
    files: dict[str, Any] = {}
    first: Geometry | None = None
    for key, path in one.inputs.items():
        try:
            data, geometry = _clean(path)
        except NotNifti as error:
            wrong.append(str(error))
            continue
        if first is not None and not geometry.same_place(first):
            wrong.append(f"{path}: shape or affine differs from the other modalities of this case")
            continue
        first = geometry
        target = trees.inputs / one.case / names[key]
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
        relative = str(trees.folder / one.case / names[key])
        files[key] = {"path": relative, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return files, first


def _clean(path: Path) -> tuple[bytes, Geometry]:
    try:
        return reheader(path)
    except NotNifti as error:
        raise NotNifti(f"{path}: {error}") from None


def _write_reference(trees: _Trees, task: Task, one: Found, geometry: Geometry | None) -> str:
    match task.output:
        case SegmentationOutput():
            if one.label is None or one.label.name != "seg.nii.gz":
                raise ValueError(f"{one.case}: there is no labels/…/seg.nii.gz")
            data, place = _clean(one.label)
            if geometry is not None and place.shape != geometry.shape:
                raise ValueError(f"{one.label}: shape {place.shape}, but the inputs have {geometry.shape}")
            (trees.references / f"{one.case}.nii.gz").write_bytes(data)
            return ""
        case NumberOutput() | ScoresOutput():
            if one.label is None or one.label.suffix != ".txt":
                raise ValueError(f"{one.case}: there is no labels/…/label.txt")
            return _label(task.output, one.case, one.label)
        case EmbeddingOutput():
            if not one.groups.get("cohort"):
                raise ValueError(f"{one.case}: participants.tsv gives no cohort")
            return one.groups["cohort"]


def _label(output: NumberOutput | ScoresOutput, case: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{case}: {path}: cannot be read as text") from None
    if isinstance(output, NumberOutput):
        _require_number(output, text, f"{case}: {path}")
    elif text not in output.classes:
        raise ValueError(f"{case}: {path}: {text!r} is none of the task's classes")
    return text


def _require_number(output: NumberOutput, text: str, place: str) -> None:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{place}: {text[:40]!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{place}: {text!r} is not a finite number")
    low, high = output.minimum, output.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"{'−∞' if low is None else f'{low:g}'} to {'∞' if high is None else f'{high:g}'}"
        raise ValueError(f"{place}: {text} is outside of {bounds}, what the task allows")


def _digest(cases: list[Case], references: Path) -> str:
    """sha256 over both manifests: the inputs' digests in case order, and every file of the references tree."""
    inputs = [[case.name, {key: one["sha256"] for key, one in sorted(case.files.items())}] for case in cases]
    labels = [
        [path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in sorted(references.iterdir())
    ]
    content = json.dumps([inputs, labels], separators=(",", ":"))
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()
