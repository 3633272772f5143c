"""The rule applied to every paired replicate."""

from collections.abc import Mapping

import numpy as np

from evaluator.ranking import (
    Ranks,
    Table,
    Values,
    aggregate_resamples,
    rank_values,
    ranked_columns,
    rounded,
)
from evaluator.resampling import draw_counts
from evaluator.spec import Ranking


def resampled_values(
    ranking: Ranking, table: Table, replicates: Values, counts: Mapping[int, Values]
) -> Values:
    """What the rule ranks in every replicate, with columns computed anew from single cases where it needs them.

    Args:
        ranking: the rule.
        table: the teams and columns, with the values of single cases.
        replicates: (replicates, columns, teams): used for the columns that are not in `counts`.
        counts: by column, how often each case is in each resample, (replicates, cases).
    """
    values = rounded(ranking, replicates)
    if counts:
        values = values.copy()
    for number, drawn in counts.items():
        values[:, number] = aggregate_resamples(ranking, table.case_terms(ranking, number), drawn)
    return values


def rank_resamples(ranking: Ranking, table: Table, replicates: Values, counts: Mapping[int, Values]) -> Ranks:
    """Ranks in every replicate, of `resampled_values`."""
    values = resampled_values(ranking, table, replicates, counts)
    return rank_values(ranking, ranked_columns(ranking, table.columns), values)


def case_counts(table: Table, resamples: int, digests: Mapping[str, str]) -> dict[int, Values]:
    """Draws of single cases for the per-case columns, the same for all columns of one dataset.

    Who the subject of a case is stands in the references, which a ranking never sees: cases are drawn as if
    each were its own subject.

    Args:
        table: the table with the values of single cases.
        resamples: number of draws.
        digests: by board, the digest of its dataset.
    """
    drawn: dict[tuple[str, int], Values] = {}
    resampled: dict[int, Values] = {}
    for number, cases in table.cases.items():
        column = table.columns[number]
        if column.per_case and np.isfinite(table.values[number]).any():
            key = (digests[column.board], cases.shape[1])
            if key not in drawn:
                drawn[key] = _simple(key[1], resamples, key[0])
            resampled[number] = drawn[key]
    return resampled


def _simple(cases: int, resamples: int, digest: str) -> Values:
    return draw_counts(range(cases), [0] * cases, resamples=resamples, digest=digest)
