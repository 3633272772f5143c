"""Metrics of points, by arrangements whose answer can be worked out by hand, and against slower ways to the same."""

import itertools
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

from evaluator.metrics import CaseData, DatasetData, NotScored
from evaluator.metrics.points import hits, matched, radial_errors, sensitivities
from evaluator.metrics.registry import lookup
from evaluator.outputs._points import POINT


def points(*rows: tuple[float, ...], names: list[int] | None = None, radii: list[float] | None = None) -> Any:
    """Points at (x, y, z), with a confidence where a row has four numbers."""
    found = np.zeros(len(rows), POINT)
    for place, row in enumerate(rows):
        found["x"][place], found["y"][place], found["z"][place] = row[:3]
        found["confidence"][place] = row[3] if len(row) > 3 else 1
    found["name"] = -1 if names is None else names
    found["radius"] = np.nan if radii is None else radii
    return found


def of_case(name: str, found: Any, truth: Any, **fields: Any) -> float:
    metric = lookup(name)
    return metric.score(CaseData(found, truth, (1, 1, 1)), metric.parse(fields))


def objects(*sets: Any) -> Any:
    held = np.empty(len(sets), object)
    for place, one in enumerate(sets):
        held[place] = one
    return held


def of_dataset(name: str, found: list[Any], truths: list[Any], **fields: Any) -> float:
    metric = lookup(name)
    return metric.score(DatasetData(objects(*truths), objects(*found)), metric.parse(fields))


def test_radial_errors_are_distances_between_points_of_one_name() -> None:
    truth = points((0, 0, 0), (10, 0, 0), (0, 0, 5), names=[0, 1, 2])
    found = points((10, 3, 4), (0, 0, 0), names=[1, 0])
    assert radial_errors(found, truth, 50).tolist() == [0, 5, 50]
    assert of_case("mean_radial_error", found, truth, missing=50) == pytest.approx(55 / 3)
    assert of_case("success_detection_rate", found, truth, radius_mm=5) == pytest.approx(2 / 3)
    assert of_case("success_detection_rate", found, truth, radius_mm=4.9) == pytest.approx(1 / 3)


def test_a_case_without_landmarks_is_not_scored_and_one_without_output_has_the_declared_error() -> None:
    with pytest.raises(NotScored):
        of_case("mean_radial_error", points(), points(), missing=9)
    metric = lookup("mean_radial_error")
    assert metric.score_missing(metric.parse({"missing": 9})) == 9


def most_pairs(found: Any, truth: Any, radius: float) -> int:
    """By trying every assignment."""
    if len(found) > len(truth):
        found, truth = truth, found
    return max(
        sum(math.dist(a.tolist()[:3], b.tolist()[:3]) <= radius for a, b in zip(found, order, strict=False))
        for order in itertools.permutations(truth)
    )


def test_as_many_points_are_put_into_pairs_as_can_be() -> None:
    # Whoever takes the nearest first gives the middle one away, and then finds none for the other.
    assert matched(points((1, 0, 0), (3, 0, 0)), points((0, 0, 0), (1.9, 0, 0)), 1.5) == 2
    chance = np.random.default_rng(5)
    for _ in range(40):
        found, truth = (points(*chance.uniform(0, 4, (chance.integers(1, 6), 3))) for _ in range(2))
        assert matched(found, truth, 1.5) == most_pairs(found, truth, 1.5)


def test_detection_f1_counts_pairs_of_confident_points() -> None:
    truth = points((0, 0, 0), (10, 0, 0))
    found = points((0, 0, 1, 0.9), (10, 0, 1, 0.4), (5, 5, 5, 0.8))
    assert of_case("detection_f1", found, truth, radius_mm=2) == pytest.approx(4 / 5)
    assert of_case("detection_f1", found, truth, radius_mm=2, threshold=0.5) == pytest.approx(2 / 4)
    assert of_case("detection_f1", points(), points(), radius_mm=2) == 1
    assert of_case("detection_f1", points(), points(), radius_mm=2, both_empty=0.5) == 0.5
    assert of_case("detection_f1", points(), truth, radius_mm=2) == 0
    named = points((0, 0, 0), names=[1])
    assert of_case("detection_f1", named, points((0, 0, 0), names=[0]), radius_mm=2) == 0


def test_the_most_confident_takes_a_point_and_others_there_count_for_nothing() -> None:
    truth = points((0, 0, 0), (10, 0, 0), radii=[np.nan, 6])
    found = points((1, 0, 0, 0.5), (0, 0, 0, 0.9), (15, 0, 0, 0.1), (0, 30, 0, 0.3), (17, 0, 0, 0.2))
    assert hits(found, truth, 2).tolist() == [-1, 1, 1, 0, 0]


FOUND = [
    points((0, 0, 0, 0.9), (50, 0, 0, 0.8), (10, 0, 0, 0.6)),
    points((0, 0, 0, 0.7), (50, 0, 0, 0.5), (60, 0, 0, 0.5)),
]
TRUTHS = [points((0, 0, 0), (10, 0, 0)), points((0, 0, 0), (20, 0, 0))]


def test_the_froc_score_of_two_scans_by_hand() -> None:
    """By confidence: .9 hit, .8 false, .7 hit, .6 hit, .5 two false: 1/4 without, 3/4 with ½, then no more."""
    rates = (0.125, 0.25, 0.5, 1.0, 2.0)
    found = sensitivities(DatasetData(objects(*TRUTHS), objects(*FOUND)), np.ones((1, 2)), 2, rates)
    assert found[:, 0].tolist() == [0.25, 0.25, 0.75, 0.75, 0.75]
    assert of_dataset("sensitivity_at", FOUND, TRUTHS, radius_mm=2, false_positives=0.5) == 0.75
    assert of_dataset("froc", FOUND, TRUTHS, radius_mm=2) == pytest.approx((0.25 * 2 + 0.75 * 5) / 7)


def test_points_of_one_confidence_come_together() -> None:
    found, truth = points((0, 0, 0, 0.5), (50, 0, 0, 0.5)), points((0, 0, 0))
    assert of_dataset("sensitivity_at", [found], [truth], radius_mm=2, false_positives=0.5) == 0
    assert of_dataset("sensitivity_at", [found], [truth], radius_mm=2, false_positives=1) == 1


def test_a_scan_without_points_adds_scans_and_one_without_output_finds_nothing() -> None:
    truths, found = [*TRUTHS, points()], [*FOUND, points()]
    assert of_dataset("sensitivity_at", found, truths, radius_mm=2, false_positives=0.34) == 0.75
    assert lookup("froc").replace(0, 0, None).shape == (0,)
    with pytest.raises(NotScored):
        of_dataset("froc", [points()], [points()], radius_mm=2)


def slowly(truths: list[Any], found: list[Any], radius: float, rate: float) -> float:
    """The best sensitivity over all thresholds, each with its own hits."""
    best, wanted = 0, sum(map(len, truths))
    for threshold in {float(one) for part in found for one in part["confidence"]}:
        kinds = [
            hits(part[part["confidence"] >= threshold], truth, radius)
            for truth, part in zip(truths, found, strict=True)
        ]
        if sum((kind == 0).sum() for kind in kinds) <= rate * len(truths):
            best = max(best, sum((kind == 1).sum() for kind in kinds))
    return best / wanted


@pytest.mark.parametrize("name", ["sensitivity_at", "froc"])
def test_resamples_are_the_metric_of_the_repeated_cases(name: str) -> None:
    chance = np.random.default_rng(3)
    truths = [points(*chance.uniform(0, 9, (chance.integers(0, 4), 3))) for _ in range(12)]
    found = [points(*np.c_[chance.uniform(0, 9, (5, 3)), chance.integers(0, 9, 5) / 8]) for _ in range(12)]
    metric = lookup(name)
    parameters = metric.parse({"radius_mm": 3})
    counts = chance.multinomial(12, [1 / 12] * 12, size=20).astype(float)
    fast = metric.replicates(DatasetData(objects(*truths), objects(*found)), counts, parameters)
    rates = parameters.false_positives if name == "froc" else (parameters.false_positives,)
    for row, value in zip(counts.astype(int), fast, strict=True):
        chosen = np.repeat(np.arange(12), row)
        slow = [
            slowly([truths[case] for case in chosen], [found[case] for case in chosen], 3, rate)
            for rate in rates
        ]
        assert value == pytest.approx(np.mean(slow))


def test_many_points_are_matched_in_little_memory_as_they_are_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = np.random.default_rng(3)
    truth, found = np.zeros(500, POINT), np.zeros(30_000, POINT)
    for axis in "xyz":
        truth[axis], found[axis] = chance.uniform(0, 100, 500), chance.uniform(0, 100, 30_000)
    found["confidence"] = chance.uniform(size=30_000)
    truth["radius"] = np.nan
    tracemalloc.start()
    kinds, pairs = hits(found, truth, 4), matched(found, truth, 4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6, "each with each at once takes seven times as much"
    monkeypatch.setattr("evaluator.metrics.points._PAIRS", 10**9)
    assert np.array_equal(hits(found[:3000], truth, 4), _in_small_blocks(found[:3000], truth, monkeypatch))
    assert (kinds == 1).sum() <= pairs <= 500


def _in_small_blocks(found: Any, truth: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("evaluator.metrics.points._PAIRS", 7000)
    return hits(found, truth, 4)
