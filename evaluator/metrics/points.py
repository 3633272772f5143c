"""Metrics of points: radial errors of landmarks, and how well detections find what is there.

Points are structured arrays in mm with the fields x, y, z, confidence, name (−1 without) and radius (mm; NaN where a
point of the truth has none of its own), shape (points,).
"""

import math
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluator.metrics._errors import NotScored
from evaluator.metrics._plugin import CaseData, CaseMetric, DatasetData, DatasetMetric, Parameters, Values
from evaluator.metrics.intervals import LOG
from evaluator.resampling import Counts

MATERIAL = "points"
"""What metrics of points declare as their material."""

Points = NDArray[np.void]

_CELLS = 4_000_000  # of resamples by candidates at a time: 32 MB per intermediate array
_PAIRS = 1_000_000  # of found and true points at a time: 24 MB per intermediate array
_EXACTLY = 1e-9  # of a rate times a number of scans, which floats may miss
_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

_Millimetres = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Rate = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class _Missing(Parameters):
    """missing: the radial error in mm of a landmark that the output lacks, and of a case without a valid output."""

    missing: _Millimetres


class _Radius(Parameters):
    """radius_mm: how far from a point of the truth a found one may lie; a truth's own radius counts instead of it."""

    radius_mm: _Millimetres


class _Called(_Radius):
    """threshold: confidence from which on a point counts. both_empty: the value where neither side has a point."""

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    both_empty: Annotated[float, Field(ge=0, le=1)] = 1.0


class _AtRate(_Radius):
    """false_positives: per scan, on average over the scans, that are allowed at most."""

    false_positives: _Rate = 1.0


class _AtRates(_Radius):
    """false_positives: rates per scan over whose sensitivities the mean is taken; LUNA16's if left out."""

    false_positives: Annotated[tuple[_Rate, ...], Field(min_length=1, max_length=100)] = _RATES


def radial_errors(found: Points, truth: Points, missing: float) -> Values:
    """Distances in mm between landmarks of one name, in the truth's order; `missing` where `found` lacks one.

    Their mean is the mean radial error of C.-W. Wang et al. 2016 (https://doi.org/10.1016/j.media.2016.02.004), and the
    share of those within a radius the success detection rate.

    Raises:
        NotScored: the truth has no landmark.
    """
    named = truth[truth["name"] >= 0]
    if not len(named):
        raise NotScored("The case has no landmark to find.")
    places = {name: number for number, name in enumerate(found["name"].tolist())}
    errors = np.full(len(named), float(missing))
    for number, landmark in enumerate(named):
        if int(landmark["name"]) in places:
            other = found[places[int(landmark["name"])]]
            errors[number] = math.dist(*((point["x"], point["y"], point["z"]) for point in (landmark, other)))
    return errors


def matched(found: Points, truth: Points, radius_mm: float) -> int:
    """How many pairs of a found and a true point within the radius there are at most, each point in one pair.

    Points with names are put into pairs of one name only.
    """
    from scipy.sparse import (  # whoever checks outputs imports this module, and needs no scipy
        csr_array,
        vstack,
    )
    from scipy.sparse.csgraph import maximum_bipartite_matching

    near = vstack([csr_array(np.isfinite(block)) for block in _blocks(found, truth, radius_mm)], format="csr")
    return int((maximum_bipartite_matching(near, perm_type="column") >= 0).sum())


def detection_f1(
    found: Points, truth: Points, radius_mm: float, threshold: float, both_empty: float
) -> float:
    """2·TP / (found + true) of the points with at least `threshold` confidence, put into pairs by `matched`."""
    called = found[found["confidence"] >= threshold]
    if not len(called) and not len(truth):
        return both_empty
    return 2 * matched(called, truth, radius_mm) / (len(called) + len(truth))


def _blocks(found: Points, truth: Points, radius_mm: float) -> Iterator[Values]:
    """`_distances` of so many found points at a time that few megabytes hold them; one block where there are none."""
    step = max(_PAIRS // max(len(truth), 1), 1)
    for start in range(0, max(len(found), 1), step):
        yield _distances(found[start : start + step], truth, radius_mm)


def _distances(found: Points, truth: Points, radius_mm: float) -> Values:
    """Shape (found, true): in mm, infinite beyond the radius and between points of different names."""
    one, other = (
        np.stack([points[axis] for axis in "xyz"], axis=-1).reshape(-1, 3) for points in (found, truth)
    )
    distances = np.sqrt(((one[:, None] - other[None]) ** 2).sum(axis=-1))
    radii = np.where(np.isnan(truth["radius"]), radius_mm, truth["radius"])
    apart = (distances > radii) | (found["name"][:, None] != truth["name"][None])
    return np.where(apart, np.inf, distances)


def hits(found: Points, truth: Points, radius_mm: float) -> NDArray[np.int8]:
    """What each found point is: 1 a hit, 0 a false positive, −1 neither; shape (found,).

    In the order of falling confidence each takes the nearest point of the truth within the radius that is free. Where
    all of those are taken already it counts for nothing, as in LUNA16 (A. A. A. Setio et al. 2017,
    https://doi.org/10.1016/j.media.2017.06.015). So what a point is does not depend on a threshold.
    """
    kinds = np.zeros(len(found), np.int8)
    free = np.ones(len(truth), bool)
    order = np.argsort(-found["confidence"], kind="stable")
    distances = chain.from_iterable(_blocks(found[order], truth, radius_mm))
    for number, near in zip(order, distances, strict=True):
        if not np.isfinite(near).any():
            continue
        nearest = int(np.argmin(np.where(free, near, np.inf)))
        fits = bool(free[nearest] and np.isfinite(near[nearest]))
        kinds[number] = 1 if fits else -1
        free[nearest] &= not fits
    return kinds


def sensitivities(data: DatasetData, counts: Counts, radius_mm: float, rates: tuple[float, ...]) -> Values:
    """Shape (rates, rows): per row of counts the highest sensitivity of a threshold with so few false positives a scan.

    NaN where no drawn scan has a point to find. A threshold takes all points with its confidence or more.
    """
    kinds = [hits(found, truth, radius_mm) for truth, found in zip(data.labels, data.scores, strict=True)]
    confidence = np.concatenate([found["confidence"] for found in data.scores])
    case = np.repeat(np.arange(len(kinds)), [len(kind) for kind in kinds])
    kind = np.concatenate(kinds)
    order = np.argsort(-confidence, kind="stable")
    order = order[kind[order] >= 0]
    last = (
        np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True))
        if len(order)
        else np.zeros(0, np.intp)
    )
    wanted = counts @ np.array([len(truth) for truth in data.labels], np.float64)
    found = np.empty((len(rates), len(counts)))
    step = max(_CELLS // max(len(order), 1), 1)
    for start in range(0, len(counts), step):
        block = counts[start : start + step]
        drawn, hit = block[:, case[order]], kind[order] == 1
        false = np.cumsum(drawn * ~hit, axis=1)[:, last]
        true = np.pad(np.cumsum(drawn * hit, axis=1)[:, last], ((0, 0), (1, 0)))
        for number, rate in enumerate(rates):
            allowed = (false <= rate * block.sum(axis=1, keepdims=True) + _EXACTLY).sum(axis=1)
            found[number, start : start + step] = true[np.arange(len(block)), allowed]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Values = np.where(wanted > 0, found / wanted, np.nan)
    return shares


def _at_rate(data: DatasetData, counts: Counts, parameters: _AtRate) -> Values:
    sensitivity: Values = sensitivities(data, counts, parameters.radius_mm, (parameters.false_positives,))[0]
    return sensitivity


def _at_rates(data: DatasetData, counts: Counts, parameters: _AtRates) -> Values:
    sensitivity: Values = sensitivities(data, counts, parameters.radius_mm, parameters.false_positives).mean(
        axis=0
    )
    return sensitivity


def _of_all(weighted: Callable[[DatasetData, Counts, Any], Values]) -> Callable[[DatasetData, Any], float]:
    def value(data: DatasetData, parameters: Any) -> float:
        score = float(weighted(data, np.ones((1, len(data.labels))), parameters)[0])
        if math.isnan(score):
            raise NotScored("No case has a point to find.")
        return score

    return value


def _mean_error(case: CaseData, parameters: _Missing) -> float:
    return float(radial_errors(case.prediction, case.reference, parameters.missing).mean())


def _success(case: CaseData, parameters: _Radius) -> float:
    errors = radial_errors(case.prediction, case.reference, math.inf)
    return float((errors <= parameters.radius_mm).mean())


def _f1(case: CaseData, parameters: _Called) -> float:
    return detection_f1(case.prediction, case.reference, **parameters.model_dump())


def _nothing(label: object, classes: int, parameters: object) -> list[float]:
    return []


METRICS = (
    CaseMetric(
        "mean_radial_error", "lower", 0, math.inf, math.inf, _Missing, _mean_error,
        missing=lambda given: given.missing, material=MATERIAL, title="mean radial error", unit="mm", interval=LOG,
    ),
    CaseMetric(
        "success_detection_rate", "higher", 0, 1, 0, _Radius, _success,
        material=MATERIAL, title="success detection rate",
    ),
    CaseMetric("detection_f1", "higher", 0, 1, 0, _Called, _f1, material=MATERIAL, title="detection F1"),
    DatasetMetric(
        "sensitivity_at", "higher", 0, 1, 0, _AtRate, _of_all(_at_rate), _nothing,
        weighted=_at_rate, material=MATERIAL, title="sensitivity",
    ),
    DatasetMetric(
        "froc", "higher", 0, 1, 0, _AtRates, _of_all(_at_rates), _nothing,
        weighted=_at_rates, material=MATERIAL, title="FROC score",
    ),
)  # fmt: skip
"""Neither of the last two has an influence: the threshold that is allowed moves with each case."""
