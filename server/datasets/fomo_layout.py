"""Reading data on disk as FOMO releases it.

    Task_N/preprocessed/sub-XX/ses-01/<sequence>.nii.gz
    Task_N/labels/sub-XX/ses-01/{label.txt|seg.nii.gz}
    Task_N/participants.tsv        participant_id [session_id] sex age site scanner cohort

Earlier editions write sub_XX, ses_1, dwi_b1000.nii.gz and labels.txt; these are read too, and so is .nii for .nii.gz.
Whatever else lies in the folder is named, but for what operating systems and BIDS tools leave beside data.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.spec import Task
from server.datasets.findings import Findings, LayoutError, no_file, some
from server.datasets.names import SESSION, SUBJECT, Key, folder_name, is_litter, why_no_name
from server.datasets.participants import is_table_of_participants, read_participants

_ALIASES = {"dwi": ("dwi_b1000",), "t1w": ("t1",), "t2w": ("t2",), "t2s": ("t2star",)}
_VOLUMES = (".nii.gz", ".nii")
_KNOWN = frozenset(
    {"preprocessed", "labels", "participants.tsv", "participants.json", "dataset_description.json"}
)
_TEXTS = ("readme", "changes", "license", "licence")


@dataclass(frozen=True)
class Found:
    """One session on disk: where its inputs and its label lie, and the groups it belongs to."""

    case: str
    subject: str
    place: Path
    inputs: dict[str, Path]
    label: Path | None
    groups: dict[str, str] = field(default_factory=dict)


def read(root: Path, task: Task, findings: Findings) -> list[Found]:
    """The sessions under `root` (a Task_N folder), complete or not, sorted by case id.

    Raises:
        LayoutError: no preprocessed folder, no session in it, or a task whose inputs are no volumes.
    """
    _require_volumes(task)
    preprocessed = root / "preprocessed"
    if not preprocessed.is_dir():
        raise LayoutError([f"{root}: there is no folder 'preprocessed'; give the Task_N folder"])
    _beside(root, findings)
    sessions = _sessions(preprocessed, findings)
    if not sessions:
        none = f"{preprocessed}: there is no sub-XX/ses-YY folder"
        raise LayoutError([none, *findings.errors], findings.warnings)
    labels = _labels(root / "labels", task, sessions, findings)
    participants = read_participants(root / "participants.tsv", sessions, findings)
    several = {name for name, count in Counter(subject for subject, _ in sessions).items() if count > 1}
    strangers: dict[str, list[Path]] = defaultdict(list)
    found = []
    for key, place in sessions.items():
        case = "_".join(key) if key[0] in several else key[0]
        inputs = _inputs(place, task, strangers, findings)
        row = participants.get(key)
        found.append(Found(case, key[0], place, inputs, labels.get(key), row.groups if row else {}))
    _name_strangers(preprocessed, strangers, findings)
    return sorted(found, key=lambda case: case.case)


def _require_volumes(task: Task) -> None:
    other = next((wanted.file for wanted in task.all_inputs if not wanted.file.endswith(_VOLUMES)), None)
    if other is not None:
        raise LayoutError(
            [
                f"the task's input {other} is no NIfTI volume (.nii.gz or .nii), and only volumes can be imported; "
                "such a challenge is scored with 'python -m evaluator score'"
            ]
        )


def _listed(folder: Path, findings: Findings) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not is_litter(path.name))
    except OSError as error:
        findings.error(folder, f"cannot be read: {error.strerror or error}")
        return []


def _beside(root: Path, findings: Findings) -> None:
    for path in _listed(root, findings):
        known = path.name in _KNOWN or path.name.lower().startswith(_TEXTS)
        named_there = is_table_of_participants(path) and not (root / "participants.tsv").is_file()
        if not known and not named_there:
            findings.warn(path, "is not part of the layout and is not read")


def _sessions(root: Path, findings: Findings) -> dict[Key, Path]:
    """Every session folder under preprocessed or labels, in order; what is none is named."""
    found: dict[Key, Path] = {}
    for subject, folder in _folders(root, SUBJECT, findings):
        before = len(found)
        for session, place in _folders(folder, SESSION, findings):
            found[subject, session] = place
        if len(found) == before and not any(is_volume(path) for path in _listed(folder, findings)):
            findings.error(folder, "holds no session folder, such as ses-01")
    return found


def is_volume(path: Path) -> bool:
    """Whether this is called as a volume is."""
    return path.name.lower().endswith(_VOLUMES)


def _folders(root: Path, kind: str, findings: Findings) -> Iterator[tuple[str, Path]]:
    """The folders of one kind in `root` with their plain names; everything else there is an error."""
    seen: dict[str, Path] = {}
    for path in _listed(root, findings):
        if kind == SESSION and path.is_file() and (is_volume(path) or path.suffix == ".txt"):
            findings.error(
                path, "lies in the subject's folder; move it into a session folder, such as ses-01"
            )
            continue
        if not path.is_dir():
            findings.error(path, f"is no folder {kind}-…, and nothing else belongs here; move it away")
            continue
        name = folder_name(path.name, kind)
        if name is None:
            findings.error(path, why_no_name(path.name, kind))
        elif name in seen:
            findings.error(path, f"is {name}, and so is {seen[name].name}; keep one of the two")
        else:
            seen[name] = path
            yield name, path


def _inputs(place: Path, task: Task, strangers: dict[str, list[Path]], findings: Findings) -> dict[str, Path]:
    """The task's inputs in a session folder; other files are gathered in `strangers`."""
    there = {path.name: path for path in _listed(place, findings)}
    found = {}
    for wanted in task.all_inputs:
        stem = re.sub(r"\.nii(\.gz)?$", "", wanted.file)
        stems = dict.fromkeys((stem, wanted.key, *_ALIASES.get(wanted.key, ())))
        names = [stem + suffix for stem in stems for suffix in _VOLUMES if stem + suffix in there]
        paths = [path for path in map(there.pop, names) if _is_file(path, findings)]
        if len(paths) > 1:
            findings.error(
                place, f"holds {wanted.key} more than once: {some(path.name for path in paths)}; keep one"
            )
        if paths:
            found[wanted.key] = paths[0]
    for name, path in there.items():
        if not name.endswith(".json"):  # what BIDS says of a scan; it is never handed on
            strangers[name].append(path)
    try:
        task.inputs_of(set(found))
    except ValueError as error:
        others = f" (there is {some(there)})" if there else ""
        findings.error(place, f"{error}{others}")
    return found


def _is_file(path: Path, findings: Findings) -> bool:
    if path.is_file():
        return True
    findings.error(path, no_file(path))
    return False


def _labels(root: Path, task: Task, sessions: Mapping[Key, Path], findings: Findings) -> dict[Key, Path]:
    """The label file of each session; labels without a scan, and what else lies there, are named."""
    if not root.is_dir():
        if root.exists() or root.is_symlink():
            findings.error(root, "is no folder")
        return {}
    strangers: dict[str, list[Path]] = defaultdict(list)
    found = {}
    for key, place in _sessions(root, findings).items():
        if key not in sessions:
            findings.error(place, "is the label of a case that has no scan under preprocessed")
            continue
        there = {path.name: path for path in _listed(place, findings)}
        names = [name for name in task.kind.labels.files if name in there]
        paths = [path for path in map(there.pop, names) if _is_file(path, findings)]
        if len(paths) > 1:
            findings.error(place, f"holds more than one label: {some(path.name for path in paths)}; keep one")
        if paths:
            found[key] = paths[0]
        for name, path in there.items():
            strangers[name].append(path)
    _name_strangers(root, strangers, findings)
    return found


def _name_strangers(root: Path, strangers: Mapping[str, list[Path]], findings: Findings) -> None:
    for name, paths in strangers.items():
        where = some(path.parent.relative_to(root) for path in paths)
        findings.warn(root, f"{name} is none of this task's files and is not read, in {where}")
