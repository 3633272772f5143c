"""Reading data on disk as FOMO releases it.

    Task_N/preprocessed/sub-XX/ses-01/<sequence>.nii.gz
    Task_N/labels/sub-XX/ses-01/{label.txt|seg.nii.gz}
    Task_N/participants.tsv        participant_id [session_id] sex age site scanner cohort

Earlier editions write sub_XX, ses_1, dwi_b1000.nii.gz and labels.txt; these are read too.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.spec import Task

GROUPS = ("cohort", "sex", "age", "site", "scanner")
_ALIASES = {"dwi": ("dwi_b1000",), "t1w": ("t1",), "t2w": ("t2",), "t2s": ("t2star",)}
_NAME = re.compile(r"(?:sub|ses)[-_]([A-Za-z0-9]+)")


@dataclass(frozen=True)
class Found:
    """One session on disk: where its inputs and its label lie, and the groups it belongs to."""

    case: str
    subject: str
    inputs: dict[str, Path]
    label: Path | None
    groups: dict[str, str] = field(default_factory=dict)


class LayoutError(Exception):
    """A folder that is not in the FOMO layout; `problems` lists everything that is wrong.

    `found` are the sessions that were found nevertheless, complete or not.
    """

    def __init__(self, problems: list[str], found: Sequence[Found] = ()) -> None:
        self.problems = problems
        self.found = tuple(found)
        super().__init__("\n".join(problems))


def read(root: Path, task: Task) -> list[Found]:
    """The sessions under `root` (a Task_N folder), sorted by case id.

    Raises:
        LayoutError: no preprocessed folder, no session, or a session that lacks an input.
    """
    preprocessed = root / "preprocessed"
    if not preprocessed.is_dir():
        raise LayoutError([f"{root}: there is no folder 'preprocessed'; give the Task_N folder"])
    sessions = [
        (subject, session)
        for subject in sorted(preprocessed.iterdir())
        for session in (sorted(subject.iterdir()) if subject.is_dir() else [])
        if _NAME.fullmatch(subject.name) and _NAME.fullmatch(session.name) and session.is_dir()
    ]
    if not sessions:
        raise LayoutError([f"{preprocessed}: there is no sub-XX/ses-YY folder"])
    several = {name for name, count in Counter(subject.name for subject, _ in sessions).items() if count > 1}
    problems: list[str] = []
    try:
        participants = _participants(root / "participants.tsv")
    except LayoutError as error:
        participants, problems = {}, error.problems
    found = []
    for subject, session in sessions:
        inputs = _inputs(session, task)
        try:
            task.inputs_of(set(inputs))
        except ValueError as error:
            problems.append(f"{session}: {error}")
        found.append(_found(root, subject.name, session.name, subject.name in several, inputs, participants))
    found.sort(key=lambda one: one.case)
    if problems:
        raise LayoutError(problems, found)
    return found


def _id(name: str, prefix: str) -> str:
    match = _NAME.fullmatch(name)
    return f"{prefix}-{match[1] if match else name}"


def _inputs(session: Path, task: Task) -> dict[str, Path]:
    found = {}
    for one in task.all_inputs:
        names = (one.file, *(f"{stem}.nii.gz" for stem in (one.key, *_ALIASES.get(one.key, ()))))
        path = next((session / name for name in names if (session / name).is_file()), None)
        if path is not None:
            found[one.key] = path
    return found


def _found(
    root: Path,
    subject: str,
    session: str,
    several: bool,
    inputs: dict[str, Path],
    participants: dict[tuple[str, str], dict[str, str]],
) -> Found:
    labels = root / "labels" / subject / session
    label = next(
        (labels / name for name in ("seg.nii.gz", "label.txt", "labels.txt") if (labels / name).is_file()),
        None,
    )
    name, visit = _id(subject, "sub"), _id(session, "ses")
    groups = participants.get((name, visit)) or participants.get((name, "")) or {}
    return Found(f"{name}_{visit}" if several else name, name, inputs, label, groups)


def _participants(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    if not path.is_file():
        return {}
    rows = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        if "participant_id" not in (reader.fieldnames or ()):
            raise LayoutError([f"{path}: line 1: there is no column participant_id"])
        for row in reader:
            session = row.get("session_id") or ""
            key = (_id(row["participant_id"], "sub"), _id(session, "ses") if session else "")
            rows[key] = {name: _text(row.get(name)) for name in GROUPS}
    return rows


def _text(value: str | None) -> str:
    """A group's text; BIDS writes n/a for a missing value."""
    return "" if value is None or value.strip().lower() in ("", "n/a", "nan") else value.strip()
