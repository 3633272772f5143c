"""Ranks in a thousand resamples against a loop over resamples with scipy's rankdata."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from benchmarks.support.compare import Comparison, compare
from evaluator.comparison import rank_intervals, rank_resamples
from evaluator.ranking import Column, Table
from evaluator.resampling import draw_counts
from evaluator.spec import Ranking

_RESAMPLES, _TEAMS, _CASES = 1000, 50, 1000
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
    return [_compare(method, table, counts) for method in ("mean_then_rank", "rank_then_mean")]


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
