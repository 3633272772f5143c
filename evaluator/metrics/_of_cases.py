"""The built-in metrics of single segmentations: one frozen row each; adding a metric adds a row.

All metrics of one case work on the same `MaskPair` of each label.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from evaluator.metrics._plugin import CaseData, CaseMetric, Direction, Parameters
from evaluator.metrics.boundary import boundary_iou_of
from evaluator.metrics.instances import lesion_dice_of, panoptic_quality_of
from evaluator.metrics.intervals import BCA, LOG
from evaluator.metrics.lesions import lesion_f1_of, lesion_sensitivity_of
from evaluator.metrics.overlap import dice_of
from evaluator.metrics.pairs import LabelPair, MaskPair
from evaluator.metrics.skeletons import cldice_of
from evaluator.metrics.surface import hausdorff_of, mean_of, median_of, surface_dice_of
from evaluator.metrics.volume import relative_volume_difference_of, volume_difference_of

_Labels = Annotated[tuple[int, ...], Field(min_length=1)]
_UnitInterval = Annotated[float, Field(ge=0, le=1)]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _OfLabels(Parameters):
    """labels: averaged over."""

    labels: _Labels


class _Overlap(_OfLabels):
    """both_empty: the value of a label that neither map has."""

    both_empty: _UnitInterval = 1.0


class _SurfaceDice(_OfLabels):
    """both_empty as for Dice; tolerance_mm: largest distance of surfaces that agree."""

    tolerance_mm: _Amount
    both_empty: _UnitInterval = 0.0


class _Distance(_OfLabels):
    """Distances in mm of a label that both maps lack, that one lacks, and of a case without a valid output.

    There is no distance to nothing, so the challenge says what it counts as; `missing` is `one_empty` where
    it is left out.
    """

    both_empty: _Amount = 0.0
    one_empty: _Amount
    missing: _Amount | None = None


def _in_per_cent(percentile: float) -> float:
    if 0 < percentile < 1:
        raise ValueError("it is in per cent: 95, not 0.95")
    return percentile


class _Hausdorff(_Distance):
    """percentile: 95 for HD95, 100 for the Hausdorff distance."""

    percentile: Annotated[float, Field(ge=0, le=100), AfterValidator(_in_per_cent)] = 95.0


class _Volume(_OfLabels):
    """missing: the difference in mL that a case without a valid output counts as."""

    missing: _Amount


class _RelativeVolume(_OfLabels):
    """reference_empty: the value of a label that only the prediction has; missing: of no valid output."""

    both_empty: _Amount = 0.0
    reference_empty: _Amount
    missing: _Amount | None = None


class _Boundary(_OfLabels):
    """width_mm: of the rim that is compared; both_empty as for Dice."""

    width_mm: _Amount
    both_empty: _UnitInterval = 1.0


class _Components(_OfLabels):
    """connectivity: which voxels are one lesion; both_empty as for Dice."""

    connectivity: Literal[6, 18, 26] = 26
    both_empty: _UnitInterval = 1.0


class _Lesions(_Components):
    """See `evaluator.metrics.lesions`."""

    min_overlap: _UnitInterval = 0.0


class _Panoptic(_Components):
    """min_iou: what the intersection over union of lesions that match is above."""

    min_iou: Annotated[float, Field(ge=0, lt=1)] = 0.5


class _Sensitivity(_Lesions):
    """reference_empty: the value of a label that only the prediction has."""

    reference_empty: _UnitInterval = 0.0


def _over_labels(of_pair: Callable[[MaskPair, Any], float]) -> Callable[[CaseData, Any], float]:
    def mean(case: CaseData, parameters: Any) -> float:
        pairs = labels_of(case)
        values = [of_pair(pairs.label(label), parameters) for label in parameters.labels]
        return math.fsum(values) / len(values)

    return mean


def labels_of(case: CaseData) -> LabelPair:
    """The case's label maps with the work that its metrics share, made by the first that asks."""
    if "labels" not in case.shared:
        case.shared["labels"] = LabelPair(case.prediction, case.reference, case.spacing_mm)
    pair: LabelPair = case.shared["labels"]
    return pair


def _missing_distance(parameters: _Distance) -> float:
    return parameters.one_empty if parameters.missing is None else parameters.missing


def _missing_relative(parameters: _RelativeVolume) -> float:
    return parameters.reference_empty if parameters.missing is None else parameters.missing


def _row(
    name: str,
    parameters: type[Parameters],
    of_pair: Callable[[MaskPair, Any], float],
    missing: Callable[[Any], float] | None = None,
    *,
    title: str,
    unit: str = "",
) -> CaseMetric:
    """Shares are better higher and lie in [0, 1]; amounts, which say what a missing one counts as, lower.

    Means of shares may be of any shape, so their intervals follow the resamples; those of amounts are on the log scale.
    """
    function, amount = _over_labels(of_pair), missing is not None
    direction: Direction = "lower" if amount else "higher"
    most, worst = (math.inf, math.inf) if amount else (1, 0)
    return CaseMetric(
        name,
        direction,
        0,
        most,
        worst,
        parameters,
        function,
        missing=missing,
        title=title,
        unit=unit,
        interval=LOG if amount else BCA,
    )


METRICS = (
    _row("dice", _Overlap, lambda pair, given: dice_of(pair, given.both_empty), title="Dice"),
    _row(
        "surface_dice",
        _SurfaceDice,
        lambda pair, given: surface_dice_of(pair, given.tolerance_mm, given.both_empty),
        title="surface Dice",
    ),
    _row(
        "hausdorff",
        _Hausdorff,
        lambda pair, given: hausdorff_of(pair, given.percentile, given.both_empty, given.one_empty),
        _missing_distance,
        title="Hausdorff distance",
        unit="mm",
    ),
    _row(
        "mean_surface_distance",
        _Distance,
        lambda pair, given: mean_of(pair, given.both_empty, given.one_empty),
        _missing_distance,
        title="mean surface distance",
        unit="mm",
    ),
    _row(
        "median_surface_distance",
        _Distance,
        lambda pair, given: median_of(pair, given.both_empty, given.one_empty),
        _missing_distance,
        title="median surface distance",
        unit="mm",
    ),
    _row(
        "volume_difference",
        _Volume,
        lambda pair, given: volume_difference_of(pair),
        lambda given: given.missing,
        title="volume difference",
        unit="mL",
    ),
    _row(
        "relative_volume_difference",
        _RelativeVolume,
        lambda pair, given: relative_volume_difference_of(pair, given.both_empty, given.reference_empty),
        _missing_relative,
        title="relative volume difference",
    ),
    _row(
        "lesion_f1",
        _Lesions,
        lambda pair, given: lesion_f1_of(pair, given.connectivity, given.min_overlap, given.both_empty),
        title="lesion F1",
    ),
    _row(
        "lesion_sensitivity",
        _Sensitivity,
        lambda pair, given: lesion_sensitivity_of(
            pair, given.connectivity, given.min_overlap, given.both_empty, given.reference_empty
        ),
        title="lesion sensitivity",
    ),
    _row(
        "lesion_dice",
        _Components,
        lambda pair, given: lesion_dice_of(pair, given.connectivity, given.both_empty),
        title="lesion-wise Dice",
    ),
    _row(
        "panoptic_quality",
        _Panoptic,
        lambda pair, given: panoptic_quality_of(pair, given.connectivity, given.min_iou, given.both_empty),
        title="panoptic quality",
    ),
    _row(
        "boundary_iou",
        _Boundary,
        lambda pair, given: boundary_iou_of(pair, given.width_mm, given.both_empty),
        title="boundary IoU",
    ),
    _row("cldice", _Overlap, lambda pair, given: cldice_of(pair, given.both_empty), title="clDice"),
)
