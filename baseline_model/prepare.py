"""Unlabelled scans as the pretraining sees them, made once: on a common grid, normalised, 16-bit, a file each."""

import hashlib
import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from baseline_model.course import LOG_EVERY
from baseline_model.data import LeftOutScans, UnusableSession, read
from baseline_model.faults import TrainingError, written_whole
from baseline_model.features import SLAB, middle_of
from baseline_model.volumes import HEAD, Scan, head_centre, normalise, onto_grid

FINE = 1.5  # mm: scans with no side of a voxel over it are also seen from near

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedScan:
    """The files that one scan became: the head from afar and, of a fine scan, its middle from near."""

    source: Path
    views: tuple[Path, ...]


def prepare(
    paths: Sequence[Path], folder: Path, *, workers: int, faulty: float, top: Path = Path()
) -> list[PreparedScan]:
    """Every usable scan of `paths`, in that order; what an earlier call made is kept where it is whole.

    Args:
        paths: the scans.
        folder: where the views go.
        workers: processes beside this one.
        faulty: the share of `paths` that may be unusable; each of those is named in the log.
        top: a folder above them all. What an earlier call made is found again wherever that lies by then.

    Raises:
        TrainingError: more scans are unusable, or the folder cannot be written.
    """
    out, found = LeftOutScans(len(paths), faulty), []
    for done, (path, made) in enumerate(zip(paths, _made(paths, folder, top, workers), strict=True), 1):
        if isinstance(made, str):
            out.add(made)
        else:
            found.append(PreparedScan(path, made))
        if done % (5 * LOG_EVERY) == 0 or done == len(paths):
            log.info("prepared %d of %d scans, %d left out", done, len(paths), len(out.reasons))
    if not found:
        raise TrainingError("none of the unlabelled scans can be used")
    return found


def _made(paths: Sequence[Path], folder: Path, top: Path, workers: int) -> Iterator[tuple[Path, ...] | str]:
    work = partial(_prepared, folder=folder, top=top)
    if not workers:
        yield from map(work, paths)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(work, paths, chunksize=4)


def _prepared(path: Path, folder: Path, top: Path) -> tuple[Path, ...] | str:
    """The views of a scan, or why there are none."""
    torch.set_num_threads(1)
    try:
        state = path.stat()
    except OSError as error:  # as of a link whose file was not fetched
        return f"{path}: cannot be read ({error.strerror})"
    named = path.relative_to(top) if path.is_relative_to(top) else path
    said = f"{named.as_posix()} {state.st_size} {state.st_mtime_ns}"
    name = hashlib.sha256(said.encode()).hexdigest()[:20]
    head, near = (folder / f"{name}.{kind}.npy" for kind in ("head", "near"))
    if _is_whole(head):  # the last that is written
        if not near.exists():
            return (head,)
        if _is_whole(near):
            return head, near
    try:
        scan = read(path)
    except UnusableSession as fault:
        return str(fault)
    views: tuple[Path, ...] = (head,)
    if scan.spacing.max() <= FINE:
        _write(near, normalise(onto_grid(scan, SLAB, middle_of(scan))))
        views = head, near
    _write(head, _from_afar(scan))
    return views


def _is_whole(view: Path) -> bool:
    """Whether a view is there, by its header and its size."""
    try:
        found = np.load(view, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return bool(found.ndim == len(HEAD.shape) and found.dtype == np.float16)


def _from_afar(scan: Scan) -> torch.Tensor:
    return normalise(onto_grid(scan, HEAD, head_centre(scan)))


def _write(path: Path, volume: torch.Tensor) -> None:
    def save(part: Path) -> None:
        with part.open("wb") as file:
            np.save(file, volume.half().numpy())

    written_whole(path, save)
