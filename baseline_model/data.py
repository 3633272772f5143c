"""Reader of the challenge's released layouts, with their quirks.

Labelled: `DATA/Task_N/preprocessed/sub-XX/ses-01/<sequence>.nii.gz` with `DATA/Task_N/labels/sub-XX/ses-01/…`.
Unlabelled: `DATA/pretraining/…/<sequence>.nii.gz`, in folders of any depth; what lies in one folder is one session.
Editions differ in `sub_XX` and `sub-XX`, `ses_1` and `ses-01`, and in how they call a sequence.
"""

import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from baseline_model.faults import TrainingError
from baseline_model.scans import CannotAnswer, Scan, read_scan
from baseline_model.volumes import load

SUFFIXES = (".nii.gz", ".nii")
ALIASES = {
    "t1": "t1w", "t2": "t2w", "mprage": "t1w", "t2flair": "flair", "dwib1000": "dwi", "b1000": "dwi", "trace": "dwi",
    "t2star": "t2s", "t2starw": "t2s",
}  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """One labelled session: a file per sequence, the label's file, and whose session it is."""

    files: dict[str, Path]
    label: Path
    subject: str

    def require(self, keys: Sequence[str]) -> None:
        """Says whether these sequences are there, without reading them.

        Raises:
            UnusableSession: one is not.
        """
        if missing := [key for key in keys if key not in self.files]:
            raise UnusableSession(f"{self.subject}/{self.label.parent.name}: has no {missing[0]}")

    def scans(self, keys: Sequence[str]) -> dict[str, Scan]:
        """These sequences, read.

        Raises:
            UnusableSession: one is not there, or holds no scan.
        """
        self.require(keys)
        return {key: read(self.files[key]) for key in keys}

    def number(self) -> float:
        """The label of tasks 1, 3 and 5.

        Raises:
            UnusableSession: it is not one number.
        """
        try:
            label = float(self.label.read_text())
        except (ValueError, OSError):
            label = math.nan
        if not math.isfinite(label):
            raise UnusableSession(f"{self.label}: holds no number")
        return label


class UnusableSession(Exception):
    """A session or scan that training leaves out; the message names it and says why."""


class LeftOutScans:
    """Counts what is left out of `total`, names each in the log, and gives up where it is more than `share`."""

    def __init__(self, total: int, share: float) -> None:
        self.reasons: list[str] = []
        self._total, self._most = total, share * total

    def add(self, reason: object) -> None:
        """One more.

        Raises:
            TrainingError: now it is too many.
        """
        self.reasons.append(str(reason))
        log.warning("left out: %s", reason)
        if len(self.reasons) > self._most:
            raise TrainingError(
                f"{len(self.reasons)} of {self._total} scans cannot be used, more than the setting `faulty` allows; "
                f"the last one: {reason}"
            )


def examples(data: Path, task: int) -> list[Example]:
    """The labelled sessions of a task, in order of their names.

    Raises:
        TrainingError: the task has none.
    """
    root = data / f"Task_{task}"
    labelled: list[Example] = []
    for session in _sessions(root / "preprocessed"):
        place = root / "labels" / session.relative_to(root / "preprocessed")
        labels = sorted(place.glob("label*.txt")) + [
            path for end in SUFFIXES for path in place.glob("seg" + end)
        ]
        if labels:
            labelled.append(Example(_sequences(session), labels[0], session.parent.name))
    if not labelled:
        raise TrainingError(
            f"{root}: has no labelled sessions (preprocessed/sub-XX/ses-XX with the same in labels/)"
        )
    return labelled


def unlabelled(data: Path) -> list[dict[str, Path]]:
    """Files by sequence of every unlabelled session, in order of their names.

    Raises:
        TrainingError: there are none.
    """
    root = data / "pretraining"
    folders = sorted({path.parent for end in SUFFIXES for path in root.rglob("*" + end)})
    if not folders:
        raise TrainingError(f"{root}: has no scans (.nii.gz or .nii)")
    return [_sequences(folder) for folder in folders]


def sequence_of(name: str) -> str:
    """How this model calls the sequence in a file of this name: `t1w` for `T1.nii.gz` and `sub-1_ses-2_T1w.nii`."""
    stem = name
    for end in SUFFIXES:
        stem = stem.removesuffix(end)
    parts = [part for part in stem.lower().split("_") if not re.match(r"(sub|ses|acq|run|space|desc)-", part)]
    plain = "_".join(parts) or stem.lower()
    return ALIASES.get(re.sub(r"[^a-z0-9]", "", plain), plain)


def _sessions(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.glob("sub*/ses*")) if path.is_dir())


def _sequences(session: Path) -> dict[str, Path]:
    """Files by sequence; of two that are the same sequence the first by name keeps it, the other its own name."""
    found: dict[str, Path] = {}
    for path in sorted(path for end in SUFFIXES for path in session.glob("*" + end)):
        name = sequence_of(path.name)
        found[name if name not in found else path.name] = path
    return found


def read(path: Path) -> Scan:
    """A scan, checked.

    Raises:
        UnusableSession: the file holds none; the message names it.
    """
    try:
        return read_scan(path)[0]
    except CannotAnswer as fault:
        raise UnusableSession(str(fault)) from None


def read_mask(path: Path) -> Scan:
    """A mask, which unlike a scan may show nothing.

    Raises:
        UnusableSession: the file holds none; the message names it.
    """
    try:
        return load(path)
    except Exception as error:  # noqa: BLE001 - a damaged file raises nearly anything, and each means this
        raise UnusableSession(f"{path}: cannot be read as a mask ({error})") from None
