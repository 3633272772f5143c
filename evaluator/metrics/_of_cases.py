"""The built-in metrics of single segmentations: one frozen row each; adding a metric adds a row."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from evaluator.metrics._plugin import CaseData, CaseMetric, Parameters
from evaluator.metrics.overlap import dice
from evaluator.metrics.surface import surface_dice

_Labels = Annotated[tuple[int, ...], Field(min_length=1)]
_UnitInterval = Annotated[float, Field(ge=0, le=1)]


class _Dice(Parameters):
    """labels: averaged over; both_empty: the value of a label that neither map has."""

    labels: _Labels
    both_empty: _UnitInterval = 1.0


class _SurfaceDice(Parameters):
    """labels and both_empty as for Dice; tolerance_mm: largest distance of surfaces that agree."""

    labels: _Labels
    tolerance_mm: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    both_empty: _UnitInterval = 0.0


def _dice(case: CaseData, parameters: _Dice) -> float:
    return _mean_over_labels(
        case, parameters.labels, lambda a, b: dice(a, b, both_empty=parameters.both_empty)
    )


def _surface_dice(case: CaseData, parameters: _SurfaceDice) -> float:
    def of_label(a: Any, b: Any) -> float:
        return surface_dice(
            a,
            b,
            spacing_mm=case.spacing_mm,
            tolerance_mm=parameters.tolerance_mm,
            both_empty=parameters.both_empty,
        )

    return _mean_over_labels(case, parameters.labels, of_label)


def _mean_over_labels(case: CaseData, labels: Sequence[int], value: Callable[[Any, Any], float]) -> float:
    return float(np.mean([value(case.prediction == label, case.reference == label) for label in labels]))


CASE_METRICS = (
    CaseMetric("dice", "higher", 0, 1, 0, _Dice, _dice),
    CaseMetric("surface_dice", "higher", 0, 1, 0, _SurfaceDice, _surface_dice),
)
