"""What the demo teams share: the call, scans in one orientation and intensity scale, and the output files."""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo.teams import nifti

FloatArray = NDArray[np.float32]
MaskArray = NDArray[np.bool_]

SEQUENCES = {
    "--flair": "flair",
    "--dwi": "dwi",
    "--adc": "adc",
    "--t2s": "susceptibility",
    "--swi": "susceptibility",
    "--t1": "t1w",
    "--t2": "t2w",
    "--input": "t1w",
}


@dataclass(frozen=True)
class Scan:
    """A sequence with axes right, anterior, superior; `data` ≥ 0, voxels of `spacing` mm, `path` the file."""

    data: FloatArray
    spacing: NDArray[np.float64]
    path: Path

    @cached_property
    def axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coordinates of the voxels from the head's middle in mm, broadcastable along the three axes."""
        few = self.data[::2, ::2, ::2]
        inside = 2 * np.argwhere(few > threshold(few))
        if not len(inside):
            inside = np.array([self.data.shape]) // 2
        middle = inside.mean(axis=0)
        top = np.percentile(inside[:, 2], 99.5) * self.spacing[2]
        if top - np.percentile(inside[:, 2], 0.5) * self.spacing[2] > 120:
            middle[2] = (top - 78) / self.spacing[2]  # the neck's length differs, the top does not
        axes = [(np.arange(n) - m) * s for n, m, s in zip(self.data.shape, middle, self.spacing, strict=True)]
        x, y, z = (axis.astype(np.float32) for axis in axes)
        return x[:, None, None], y[None, :, None], z[None, None, :]

    @cached_property
    def flat(self) -> FloatArray:
        """Relative intensities with the receive field, everything wider than about 60 mm, divided out."""
        data = relative(self)
        step = [max(1, round(6 / size)) for size in self.spacing]  # the field is smooth: few points carry it
        few = data[:: step[0], :: step[1], :: step[2]]
        head = (few > 0.3).astype(np.float32)
        spacing = self.spacing * step
        field = smooth(few.clip(max=1.8) * head, 60, spacing) / smooth(head, 60, spacing).clip(min=0.05)
        for axis, (times, size) in enumerate(zip(step, data.shape, strict=True)):
            field = np.repeat(field, times, axis=axis).take(np.arange(size), axis=axis)
        return np.asarray(data / field.clip(min=0.3), dtype=np.float32)

    def ball(self, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> MaskArray:
        """Voxels within an ellipsoid, in mm from the head's middle."""
        parts = zip(self.axes, centre, radii, strict=True)
        return np.asarray(sum(((axis - c) / r) ** 2 for axis, c, r in parts) < 1)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000


@dataclass(frozen=True)
class Solution:
    """A team's answer to each task, as functions of the scans by sequence."""

    infarct: Callable[[dict[str, Scan]], float]
    meningioma: Callable[[dict[str, Scan]], MaskArray]
    age: Callable[[dict[str, Scan]], float]
    nerve: Callable[[dict[str, Scan]], NDArray[np.uint8]]
    folding: Callable[[dict[str, Scan]], float]
    embedding: Callable[[dict[str, Scan]], FloatArray]


def run(team: Solution) -> None:
    """The whole of a container: reads the call, asks the team, writes the output."""
    parser = argparse.ArgumentParser()
    for flag in SEQUENCES:
        parser.add_argument(flag, type=Path)
    parser.add_argument("--output", type=Path, required=True)
    given = vars(parser.parse_args())
    paths = {name: given[flag[2:]] for flag, name in SEQUENCES.items() if given[flag[2:]] is not None}
    scans = {name: read(path) for name, path in paths.items()}
    _answer(
        team,
        os.environ.get("PROCTOR_TASK") or guess_task(set(scans), given["output"]),
        scans,
        given["output"],
    )


def guess_task(sequences: set[str], output: Path) -> str:
    """The task by its inputs, where nobody tells it; tasks 3 and 5 look alike, and it takes 3."""
    if "flair" in sequences:
        return "task1" if "adc" in sequences else "task2"
    if "t2w" in sequences:
        return "task4"
    return "task6" if output.suffix == ".npy" else "task3"


def _answer(team: Solution, task: str, scans: dict[str, Scan], output: Path) -> None:
    numbers = {"task1": team.infarct, "task3": team.age, "task5": team.folding}
    if task in numbers:
        output.write_text(f"{numbers[task](scans):.6f}\n")
    elif task == "task2":
        write_mask(team.meningioma(scans).astype(np.uint8), scans["flair"].path, output)
    elif task == "task4":
        write_mask(team.nerve(scans), scans["t2w"].path, output)
    elif task == "task6":
        np.save(output, team.embedding(scans).astype(np.float32))
    else:
        raise SystemExit(f"unknown task {task}")


def read(path: Path) -> Scan:
    """A file as a `Scan`; what is negative or not finite becomes 0."""
    image = nifti.load(path)
    data = np.ascontiguousarray(image.canonical())
    return Scan(np.nan_to_num(data, posinf=0, neginf=0).clip(min=0), image.spacing, path)


def write_mask(labels: NDArray[np.uint8], like: Path, output: Path) -> None:
    """Labels in canonical orientation, written in the orientation and with the affine of the file `like`."""
    nifti.save_labels(labels, nifti.load(like), output)


def threshold(data: FloatArray) -> float:
    """An intensity between the air and the head."""
    bright = data[data > data.mean()]
    return 0.3 * float(bright.mean()) if bright.size else 0.0


def relative(scan: Scan) -> FloatArray:
    """Intensities over the median of the head's inside: 1 is typical tissue on every scanner."""
    inside = scan.data[scan.ball((0, 0, 0), (50, 65, 45)) & (scan.data > threshold(scan.data))]
    middle = float(np.median(inside)) if inside.size else 1.0
    return scan.data / np.float32(max(middle, 1e-6))


def smooth(data: FloatArray, millimetres: float, spacing: NDArray[np.float64]) -> FloatArray:
    """Two passes of a running mean that is about `millimetres` wide along each axis."""
    out = data.astype(np.float32)
    for axis, step in enumerate(spacing):
        width = min(2 * round(millimetres / step / 2) + 1, out.shape[axis])
        for _ in range(2 if width > 1 else 0):
            out = _running_mean(out, width, axis)
    return out


def _running_mean(data: FloatArray, width: int, axis: int) -> FloatArray:
    pads = [(0, 0)] * 3
    pads[axis] = (width // 2 + 1, width - 1 - width // 2)
    total = np.moveaxis(np.cumsum(np.pad(data, pads, mode="edge"), axis=axis, dtype=np.float32), axis, 0)
    return np.moveaxis((total[width:] - total[:-width]) / np.float32(width), 0, axis)


def squash(value: float, middle: float, width: float) -> float:
    """A probability: 0.5 at `middle`, rising over `width`."""
    return float(1 / (1 + np.exp(-np.clip((value - middle) / width, -30, 30))))


def restriction(scans: dict[str, Scan], millimetres: float) -> FloatArray:
    """Task 1: bright diffusion with a low coefficient, per voxel of the brain; an untypical voxel has 0."""
    dwi, adc = scans["dwi"].flat, scans["adc"].data
    inside = scans["dwi"].ball((0, 0, 0), (66, 82, 62)) & (adc > 0)
    typical = float(np.median(adc[inside])) if inside.any() else 1.0
    bright = smooth(dwi, millimetres, scans["dwi"].spacing) - 1
    low = 1 - smooth(adc / np.float32(typical), millimetres, scans["dwi"].spacing)
    return np.asarray(bright.clip(min=0) * low.clip(min=0) * inside, dtype=np.float32)


def fluid_share(scan: Scan, radii: tuple[float, float, float], level: float = 0.62) -> float:
    """Share of a T1-weighted scan's middle that is darker than `level` of typical tissue: fluid."""
    inside = scan.ball((0, 0, 5), radii)
    return float((scan.flat[inside] < level).mean()) if inside.any() else 0.0


def blob_around_peak(score: FloatArray, scan: Scan, level: float, reach: float) -> MaskArray:
    """Voxels above `level` of the peak and within `reach` mm of it."""
    peak = np.unravel_index(int(np.argmax(score)), score.shape)
    away = np.zeros(score.shape, dtype=np.float32)
    for axis, (n, place, step) in enumerate(zip(score.shape, peak, scan.spacing, strict=True)):
        shape = [1, 1, 1]
        shape[axis] = n
        away = away + (((np.arange(n) - int(place)) * step) ** 2).reshape(shape).astype(np.float32)
    return np.asarray((score > level * score[peak]) & (away < reach**2))


def opposite(data: FloatArray, scan: Scan) -> FloatArray:
    """`data` seen in a mirror through the head's middle plane."""
    x = scan.axes[0].ravel()
    middle = int(np.argmin(np.abs(x)))
    index = np.clip(2 * middle - np.arange(data.shape[0]), 0, data.shape[0] - 1)
    return data[index]


def histogram(scan: Scan, bins: int, radii: tuple[float, float, float] = (60, 75, 55)) -> FloatArray:
    """Shares of intensities 0..2 of typical tissue inside the head: [bins], in spreads of ±1 or so."""
    inside = scan.ball((0, 0, 5), radii)
    counts, _ = np.histogram(scan.flat[inside], bins=bins, range=(0, 2))
    shares = counts / max(int(counts.sum()), 1)
    return np.asarray(np.sqrt(shares) * 4 - 0.5, dtype=np.float32)


def regions(scan: Scan, size: float) -> FloatArray:
    """Share of fluid within about `size` mm of the points of a coarse lattice through the brain: [60]."""
    fluid = smooth((scan.flat < 0.62).astype(np.float32), size, scan.spacing)
    lattice = ((-40.0, -20.0, 0.0, 20.0, 40.0), (-50.0, -20.0, 10.0, 40.0), (-15.0, 5.0, 25.0))
    picked = [
        [int(np.argmin(np.abs(axis.ravel() - place))) for place in places]
        for axis, places in zip(scan.axes, lattice, strict=True)
    ]
    return np.asarray(fluid[np.ix_(*picked)].ravel() * 4 - 0.5, dtype=np.float32)


def thin_dark(
    scan: Scan, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> FloatArray:
    """Task 4: how much darker than its surroundings a voxel near `centre` is, in units of the fluid's signal."""
    top = float(np.percentile(scan.data, 99)) or 1.0
    data = scan.data / np.float32(top)
    x, y, z = (np.arange(n) * s - (n - 1) * s / 2 for n, s in zip(data.shape, scan.spacing, strict=True))
    cx, cy, cz = centre
    near = (
        ((np.abs(x) - cx) / radii[0])[:, None, None] ** 2
        + ((y - cy) / radii[1])[None, :, None] ** 2
        + ((z - cz) / radii[2])[None, None, :] ** 2
    ) < 1
    around = smooth((data > 0.7).astype(np.float32), 9, scan.spacing)
    return np.asarray((1 - data) * near * (around > 0.25), dtype=np.float32)
