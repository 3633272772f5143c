"""From the values of single cases to what is ranked: mean, median, the mean of the ranks per case, or wins."""

import numpy as np

from evaluator.ranking._rule import Column, rounded
from evaluator.ranking._significance import wins
from evaluator.ranking._ties import Values, tied_ranks
from evaluator.spec import Ranking


def case_terms(ranking: Ranking, column: Column, cases: Values) -> Values:
    """What is taken together over cases, shape (teams, cases): the values, or each case's ranks of the teams.

    Under "test_then_rank" it is the values, rounded, of which the higher is the better.

    Args:
        ranking: the rule.
        column: the metric; its direction is that of its values.
        cases: (teams, cases), NaN where a case is undefined; a row of NaN is a team without the metric, which
            ranks nowhere.
    """
    if ranking.method == "mean_then_rank":
        return cases
    if ranking.method == "test_then_rank":
        return rounded(ranking, cases if column.higher_is_better else -cases)
    takes_part = np.isfinite(cases).any(axis=1)
    ranks = tied_ranks(
        rounded(ranking, cases[takes_part]).T, ties=ranking.ties, higher_is_better=column.higher_is_better
    ).T
    terms = np.full(cases.shape, np.nan)
    terms[takes_part] = ranks
    return terms


def aggregate(ranking: Ranking, terms: Values) -> Values:
    """The ranked value of each team, shape (teams,), from `case_terms`; undefined cases are left out."""
    if ranking.method == "test_then_rank":
        return np.asarray(wins(terms, np.ones((1, terms.shape[1])))[0])
    values = np.full(len(terms), np.nan)
    for number, row in enumerate(terms):
        known = row[np.isfinite(row)]
        if len(known):
            median = ranking.method == "mean_then_rank" and ranking.per_case == "median"
            values[number] = np.median(known) if median else known.mean()
    return values if ranking.method == "rank_then_mean" else rounded(ranking, values)


def aggregate_resamples(ranking: Ranking, terms: Values, counts: Values) -> Values:
    """As `aggregate` in every resample, shape (resamples, teams).

    Args:
        ranking: the rule.
        terms: (teams, cases) from `case_terms`.
        counts: (resamples, cases), how often each case is drawn.
    """
    if ranking.method == "test_then_rank":
        return wins(terms, counts)
    if ranking.method == "mean_then_rank" and ranking.per_case == "median":
        return rounded(ranking, np.stack([_medians(row, counts) for row in terms], axis=1))
    known = np.isfinite(terms)
    with np.errstate(invalid="ignore"):
        if known.all():
            means = counts @ terms.T / counts.sum(axis=1, keepdims=True)
        else:
            means = counts @ np.where(known, terms, 0).T / (counts @ known.T.astype(np.float64))
    return means if ranking.method == "rank_then_mean" else rounded(ranking, means)


def _medians(row: Values, counts: Values) -> Values:
    """Median of one team's cases in each resample: the mean of the two middle ones of an even number."""
    known = np.flatnonzero(np.isfinite(row))
    if not len(known):
        return np.full(len(counts), np.nan)
    order = known[np.argsort(row[known])]
    reached = counts[:, order].cumsum(axis=1)
    total = reached[:, -1:]
    low = np.minimum((reached < np.floor((total + 1) / 2)).sum(axis=1), len(order) - 1)
    high = np.minimum((reached < np.floor(total / 2) + 1).sum(axis=1), len(order) - 1)
    medians: Values = (row[order][low] + row[order][high]) / 2
    return np.where(total[:, 0] > 0, medians, np.nan)
