"""Ranks in a thousand resamples and sets of places against loops over resamples, teams and pairs."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from benchmarks.support.compare import Comparison, compare
from evaluator.comparison import RankSets, rank_intervals, rank_resamples, rank_sets
from evaluator.ranking import Column, Table
from evaluator.resampling import draw_counts
from evaluator.spec import Ranking

_RESAMPLES, _TEAMS, _CASES, _BOARDS = 1000, 50, 1000, 7
_COLUMNS = (Column("task2", "dsc", True, True), Column("task2", "nsd", True, True))

Values = npt.NDArray[np.float64]


def run() -> list[Comparison]:
    """FOMO26's rule over the single cases of two metrics: from values per case to intervals of places."""
    rng = np.random.default_rng(26)
    skill = rng.normal(0, 0.02, (_TEAMS, 1))
    cases = {number: np.clip(rng.normal(0.7 + skill, 0.2, (_TEAMS, _CASES)), 0, 1) for number in range(2)}
    values = np.stack([case.mean(axis=1) for case in cases.values()])
    table = Table(tuple(f"team{team}" for team in range(_TEAMS)), _COLUMNS, values, cases)
    counts = draw_counts(range(_CASES), [0] * _CASES, resamples=_RESAMPLES, digest="benchmark")
    return [
        *(_compare(method, table, counts) for method in ("mean_then_rank", "rank_then_mean")),
        _sets(),
    ]


def _compare(method: str, table: Table, counts: Values) -> Comparison:
    ranking = Ranking.model_validate({"method": method, "weights": {"task2": 1}})
    drawn = dict.fromkeys(table.cases, counts)
    empty = np.full((_RESAMPLES, *table.values.shape), np.nan)

    def ours() -> npt.NDArray[np.intp]:
        places = rank_resamples(ranking, table, empty, drawn).places
        rank_intervals(places, 0.95)
        return places

    def loop() -> npt.NDArray[np.intp]:
        places = _places_one_by_one(method, table.cases[0], table.cases[1], counts)
        np.quantile(places, [0.025, 0.975], axis=0, method="inverted_cdf")
        return places

    if not np.array_equal(ours(), loop()):
        raise RuntimeError("the two disagree")
    return compare(
        f"{method.replace('_', '-')}, {_RESAMPLES:,} resamples × {_TEAMS} teams × 2 metrics × {_CASES:,} cases",
        ("evaluator", ours),
        ("loop, scipy rankdata", loop),
        repeat=5,
        least=10,
    )


def _places_one_by_one(method: str, dsc: Values, nsd: Values, counts: Values) -> npt.NDArray[np.intp]:
    places = np.empty((len(counts), len(dsc)), dtype=np.intp)
    terms = [
        rankdata(-cases, axis=0, method="min") if method == "rank_then_mean" else -cases
        for cases in (dsc, nsd)
    ]
    for number, row in enumerate(counts):
        chosen = np.repeat(np.arange(len(row)), row.astype(int))
        ranks = [rankdata(np.round(term[:, chosen].mean(axis=1), 9), method="min") for term in terms]
        places[number] = rankdata(np.mean(ranks, axis=0), method="min")
    return places


def _sets() -> Comparison:
    """Simultaneous and marginal sets of places on every board: from draws of errors to places."""
    rng = np.random.default_rng(27)
    boards = [
        (
            rng.normal(0, 1, _TEAMS),
            rng.normal(0, 0.3, (_RESAMPLES, _TEAMS)) + rng.normal(0, 1, (_RESAMPLES, 1)),
        )
        for _ in range(_BOARDS)
    ]

    def ours() -> list[RankSets]:
        return [rank_sets(values, errors, 0.95) for values, errors in boards]

    def loop() -> list[tuple[list[int], list[int]]]:
        return [_sets_pair_by_pair(values, errors) for values, errors in boards]

    found = [(sets.low.tolist(), sets.high.tolist()) for sets in ours()]
    if found != loop():
        raise RuntimeError("the two disagree")
    return compare(
        f"sets of places, {_RESAMPLES:,} draws × {_TEAMS} teams × {_BOARDS} boards",
        ("evaluator", ours),
        ("loop over pairs, numpy", loop),
        repeat=5,
        least=2,
    )


def _sets_pair_by_pair(values: Values, errors: Values) -> tuple[list[int], list[int]]:
    """The simultaneous sets alone, with one pair at a time and all its draws at once."""
    pairs = [(one, other) for one in range(_TEAMS) for other in range(one + 1, _TEAMS)]
    largest, spread = np.zeros(_RESAMPLES), {}
    for one, other in pairs:
        difference = errors[:, one] - errors[:, other]
        spread[one, other] = difference.std()
        largest = np.maximum(largest, np.abs(difference - difference.mean()) / spread[one, other])
    bound = np.sort(largest)[int(np.ceil((_RESAMPLES + 1) * 0.95)) - 1]
    low, high = [1] * _TEAMS, [_TEAMS] * _TEAMS
    for one, other in pairs:
        lead = (values[other] - values[one]) / spread[one, other]
        if abs(lead) > bound:
            ahead, behind = (one, other) if lead > 0 else (other, one)
            low[behind] += 1
            high[ahead] -= 1
    return low, high
