"""All metrics of one case in one call."""

import math
from collections.abc import Mapping
from typing import Any

from evaluator.metrics._errors import NotScored
from evaluator.metrics._plugin import CaseData, CaseMetric


def score_case(case: CaseData, metrics: Mapping[str, tuple[CaseMetric, Any]]) -> dict[str, float]:
    """The value of every metric of one case, NaN where one is undefined.

    The metrics share one bounding box, one pair of masks and surfaces per label, and every distance that one
    of them has found.

    Args:
        case: the label maps, of one shape.
        metrics: by key, the metric and its parsed parameters.

    Raises:
        ValueError: the label maps do not suit a metric.
    """
    return {key: _value(metric, case, parameters) for key, (metric, parameters) in metrics.items()}


def score_missing_case(metrics: Mapping[str, tuple[CaseMetric, Any]]) -> dict[str, float]:
    """What every metric says of a case without a valid output."""
    return {key: metric.score_missing(parameters) for key, (metric, parameters) in metrics.items()}


def _value(metric: CaseMetric, case: CaseData, parameters: Any) -> float:
    try:
        return metric.score(case, parameters)
    except NotScored:
        return math.nan
