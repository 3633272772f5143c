"""What the best possible answer to a synthetic case would score: the noise that is in the labels themselves.

`python -m benchmarks.support.baseline_ceiling --cases 100 --seed 11 --seed 12 --seed 13`. Age is told from the numbers
that `demo.brains` drew for the case (width of the ventricles, width of the sulci, load of white matter lesions), and a
scan can show no more; masks are the reference itself, put onto the template's grid and back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from unittest.mock import patch

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from baseline_model.features import segmentation_volumes
from baseline_model.inference import onto_scan
from baseline_model.segmentation import MENINGIOMA, NERVE, MaskTask, grid_labels
from baseline_model.volumes import Scan
from benchmarks.support.baseline_quality import scans_of
from benchmarks.support.evaluated import of_cases, of_dataset
from demo.brains import anatomy, cases, make_case, pathology
from demo.brains.acquire import Lesion
from evaluator.metrics.overlap import dice

AGES = np.arange(20, 90.05, 0.1)
MASKS = {"task2": MENINGIOMA, "task4": NERVE}
COARSE = 4.0  # mm: what is drawn for a case does not depend on how fine its scan is
Array = NDArray[np.float64]


def main(
    count: Annotated[int, typer.Option("--cases", min=2, help="Hidden cases per seed.")] = 100,
    masks: Annotated[int, typer.Option(min=2, help="Hidden masks per task and seed.")] = 15,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of the hidden cases; may be repeated.")] = None,
) -> None:
    """Measure the ceiling of tasks 2, 3 and 4."""
    torch.set_num_threads(1)
    for number in seed or [11, 12, 13]:
        drawn = [_drawn(number, index) for index in range(count)]
        ages = np.array([age for age, _ in drawn])
        for known in (("ventricles", "sulci"), ("ventricles", "sulci", "lesions")):
            told = np.array([age_from({name: signs[name] for name in known}) for _, signs in drawn])
            print(
                f"task3 seed {number} {', '.join(known)}: MAE {of_dataset('mae', ages, told, classes=False)}"
            )
        for name, task in MASKS.items():
            found = np.array([_round_trip(name, task, number, index) for index in range(masks)])
            print(
                f"{name} seed {number} the reference on the grid: mean DSC {of_cases('dice', found)}",
                flush=True,
            )


def _drawn(seed: int, index: int) -> tuple[float, dict[str, float]]:
    """The age of a hidden case of task 3, and what was drawn for it."""
    signs: dict[str, float] = {}
    with _watched(signs):
        case = make_case("task3", "test", index, seed=seed, spacing_mm=COARSE)
    return case.age, signs


@contextmanager
def _watched(signs: dict[str, float]) -> Iterator[None]:
    """Keeps in `signs` what `make_case` draws."""
    build, widen = anatomy.build_anatomy, anatomy.Anatomy.widen_sulci
    paint = pathology.white_matter_lesions

    def built(*given: Any, **named: Any) -> anatomy.Anatomy:
        signs["ventricles"] = named["ventricles_mm"]
        return build(*given, **named)

    def widened(self: anatomy.Anatomy, bias: float) -> None:
        signs["sulci"] = float(bias)
        widen(self, bias)

    def painted(*given: Any) -> Lesion:
        signs["lesions"] = given[-1]
        return paint(*given)

    with (
        patch.object(cases, "build_anatomy", built),
        patch.object(anatomy.Anatomy, "widen_sulci", widened),
        patch.object(pathology, "white_matter_lesions", painted),
    ):
        yield


def age_from(signs: dict[str, float]) -> float:
    """The age in years below which, knowing `signs`, a case of task 3 lies with a chance of one half.

    No answer has a smaller expected error. The chances are those with which `demo.brains.cases` draws.
    """
    decades = np.maximum(AGES - 25, 0) / 10
    chance = np.zeros(len(AGES))  # logarithm of it
    if "ventricles" in signs:
        middle, wide = 0.62 * decades - 0.6, signs["ventricles"]
        chance += (
            norm.logsf(7, middle, 0.5) if wide >= 7
            else norm.logcdf(-1.5, middle, 0.5) if wide <= -1.5
            else norm.logpdf(wide, middle, 0.5)
        )  # fmt: skip
    if "sulci" in signs:
        chance += norm.logpdf(signs["sulci"], 0.26 * decades - 0.4, 0.2)
    if "lesions" in signs:
        chance += _of_load(signs["lesions"])
    total = np.exp(chance - chance.max()).cumsum()
    return float(AGES[np.searchsorted(total, total[-1] / 2)])


def _of_load(load: float) -> Array:
    """A load is the years over 40, times 0.011, times something between 0.2 and 1.4 that is drawn."""
    most = 0.011 * np.maximum(AGES - 40, 0)
    if load == 0:
        return np.where(most == 0, 0.0, -np.inf)
    share = np.divide(load, most, out=np.full(len(AGES), np.inf), where=most > 0)
    return np.where((share >= 0.2) & (share <= 1.4), -np.log(np.maximum(most, 1e-9)), -np.inf)


def _round_trip(name: str, task: MaskTask, seed: int, index: int) -> float:
    """How much of a reference is left when a network that makes no mistake answers on the template's grid."""
    case = make_case(name, "test", index, seed=seed)
    scans, wanted = scans_of(case), case.seg
    assert wanted is not None
    first = scans[task.keys[0]]
    _, centre = segmentation_volumes(scans, task.keys[:1], task.grid)
    labels = grid_labels(Scan(wanted.astype(np.float32), first.affine), task, centre)
    chances: Tensor = torch.stack([(labels == one).float() for one in range(1, task.labels + 1)])
    answer = onto_scan(chances, task.grid, centre, first)
    return float(np.mean([dice(answer == one, wanted == one) for one in range(1, task.labels + 1)]))


if __name__ == "__main__":
    typer.run(main)
