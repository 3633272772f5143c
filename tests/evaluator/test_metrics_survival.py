"""The concordance index, by hand, against every pair, and what single cases move."""

import numpy as np
import pytest

from evaluator.metrics import DatasetData, NotScored
from evaluator.metrics.registry import lookup

METRIC = lookup("concordance")
RISK = METRIC.parse({})


def data(times: list[float], events: list[int], risks: list[float]) -> DatasetData:
    return DatasetData(np.stack([times, events], axis=1).astype(float), np.array(risks, float))


def by_pairs(data: DatasetData) -> float:
    """Harrell's definition, pair by pair."""
    earned = possible = 0.0
    for (time, event), risk in zip(data.labels, data.scores, strict=True):
        for (other_time, other_event), other_risk in zip(data.labels, data.scores, strict=True):
            if event and (time < other_time or (time == other_time and not other_event)):
                possible += 1
                earned += 1.0 if risk > other_risk else 0.5 if risk == other_risk else 0.0
    return earned / possible


def test_the_index_is_the_share_of_pairs_in_the_right_order() -> None:
    # (1, 2), (1, 3), (1, 4), (3, 4) can be ordered; 2 left before 3 and 4 had their events.
    found = data([1, 2, 3, 4], [1, 0, 1, 1], [0.9, 0.1, 0.2, 0.2])
    assert METRIC.score(found, RISK) == pytest.approx(3.5 / 4)


def test_a_time_is_the_other_way_round_and_a_missing_prediction_loses_its_pairs() -> None:
    found = data([1, 2, 3], [1, 1, 1], [5, 20, 30])
    assert METRIC.score(found, RISK) == 0
    assert METRIC.score(found, METRIC.parse({"predicts": "time"})) == 1
    lost = data([1, 2, 3], [1, 1, 1], [3, float(METRIC.replace(2.0, 1, RISK)[0]), 1])
    assert METRIC.score(lost, RISK) == pytest.approx(1 / 3)


def test_without_an_event_before_another_time_there_is_no_index() -> None:
    with pytest.raises(NotScored):
        METRIC.score(data([1, 2, 3], [0, 0, 1], [1, 2, 3]), RISK)


def random(cases: int) -> DatasetData:
    chance = np.random.default_rng(cases)
    times, events = chance.integers(1, 40, cases), chance.integers(0, 2, cases)
    return data(list(times), list(events), list(np.round(chance.normal(-times / 20, 1), 1)))


@pytest.mark.parametrize("cases", [3, 40, 300])
def test_the_index_is_that_of_every_pair(cases: int) -> None:
    assert METRIC.score(random(cases), RISK) == pytest.approx(by_pairs(random(cases)), abs=1e-12)


def test_resamples_are_the_index_of_the_repeated_cases() -> None:
    whole = random(30)
    counts = np.random.default_rng(1).multinomial(30, [1 / 30] * 30, size=15).astype(float)
    fast = METRIC.replicates(whole, counts, RISK)
    for row, value in zip(counts.astype(int), fast, strict=True):
        chosen = np.repeat(np.arange(30), row)
        assert value == pytest.approx(by_pairs(DatasetData(whole.labels[chosen], whole.scores[chosen])))


def test_the_influence_is_what_a_little_more_of_a_case_moves() -> None:
    whole, step = random(300), 1e-6
    moved = METRIC.influence(whole, RISK)
    for case in (0, 7, 299):
        counts = np.ones((1, 300))
        counts[0, case] += step
        change = (METRIC.replicates(whole, counts, RISK)[0] - METRIC.score(whole, RISK)) / step
        assert moved[case] == pytest.approx(change, abs=1e-6)
    assert moved.sum() == pytest.approx(0, abs=1e-12)
