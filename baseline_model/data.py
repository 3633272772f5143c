"""Reader of the challenge's released layout.

`DATA/Task_N/preprocessed/sub-XX/ses-01/<sequence>.nii.gz` with `DATA/Task_N/labels/sub-XX/ses-01/…`, and unlabelled
scans as `DATA/pretraining/sub-XXXX/ses-01/<sequence>.nii.gz`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from baseline_model.volumes import Scan, load

SUFFIX = ".nii.gz"


@dataclass(frozen=True)
class Example:
    """One labelled session: a file per sequence, and the label's file."""

    files: dict[str, Path]
    label: Path

    def scans(self) -> dict[str, Scan]:
        """Every sequence, read."""
        return {key: load(path) for key, path in self.files.items()}

    def number(self) -> float:
        """The label of tasks 1, 3 and 5."""
        return float(self.label.read_text())


def examples(data: Path, task: int) -> list[Example]:
    """The labelled sessions of a task, in order of their names.

    Raises:
        FileNotFoundError: the task has none.
    """
    root = data / f"Task_{task}"
    labelled: list[Example] = []
    for session in _sessions(root / "preprocessed"):
        place = root / "labels" / session.relative_to(root / "preprocessed")
        labels = sorted(place.glob("label*.txt")) + sorted(place.glob("seg.nii.gz"))
        if labels:
            labelled.append(Example(_sequences(session), labels[0]))
    if not labelled:
        raise FileNotFoundError(f"no labelled sessions in {root}")
    return labelled


def unlabelled(data: Path) -> list[dict[str, Path]]:
    """Files by sequence of every unlabelled session.

    Raises:
        FileNotFoundError: there are none.
    """
    sessions = [_sequences(session) for session in _sessions(data / "pretraining")]
    if not sessions:
        raise FileNotFoundError(f"no sessions in {data / 'pretraining'}")
    return sessions


def _sessions(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.glob("sub*/ses*")) if path.is_dir())


def _sequences(session: Path) -> dict[str, Path]:
    return {path.name.removesuffix(SUFFIX): path for path in sorted(session.glob("*" + SUFFIX))}
