"""Pairwise tests between submissions on the statistic that is ranked, and their correction for many pairs.

Every function gives a symmetric (teams, teams) matrix of two-sided p-values, NaN on the diagonal and for teams
without the metric. None reads bootstrap replicates: the smallest p of 1,000 of them is 2/1001, which after
Holm's correction for the 435 pairs of 30 teams can never be significant.
"""

import math
from collections.abc import Iterator

import numpy as np

from evaluator.comparison._differences import Values, only_between
from evaluator.resampling import seed_of

PERMUTATIONS = 100_000
"""Random sign patterns of the permutation test; where none is as extreme, a bound of p is finer than 1e-5."""

_EXHAUSTIVE = 16  # up to so many free signs every pattern is tried
_BLOCK = 4096
_NEWTON = 5  # steps towards the best of bounds that all hold
_SLACK = 1e-9  # relative: sums in another order differ in their last digits and are still equal


def permutation_test(cases: Values, *, digest: str, permutations: int = PERMUTATIONS) -> Values:
    """Sign-flip tests of the mean paired difference: exact if the two may be swapped case by case.

    All pairs share the sign patterns, which depend on the dataset alone; few cases are enumerated instead.
    A case that is undefined for one of a pair does not count for that pair.

    Args:
        cases: (teams, cases), NaN where a case is undefined; a row of NaN is a team without the metric.
        digest: of the dataset.
        permutations: random patterns; p is (1 + those at least as extreme) / (1 + permutations), or Chernoff's bound of
            the p of all patterns, where that is less still.
    """
    pairs = _empty(len(cases))
    scored = np.isfinite(cases).any(axis=1)
    if scored.sum() < 2:
        return pairs
    rows, count = _in_range(cases[scored]), cases.shape[1]
    few = count - 1 <= _EXHAUSTIVE
    extreme, total = np.zeros((len(rows), len(rows))), 0
    for signs in _all_signs(count) if few else _signs(count, permutations, digest):
        extreme += _extreme(rows, signs)
        total += signs.shape[1]
    # Among all patterns is the one that was seen, so no p is below one of them.
    p = np.maximum(extreme, 1) / total if few else _sampled(rows, extreme, total)
    pairs[np.ix_(scored, scored)] = np.maximum(p, p.T)
    np.fill_diagonal(pairs, np.nan)
    return pairs


def _in_range(rows: Values) -> Values:
    """The rows, scaled so that sums of differences stay finite; the test does not depend on the scale."""
    huge = np.nanmax(np.abs(rows)) > 1e280
    return rows * 2.0**-100 if huge else rows


def _extreme(rows: Values, signs: Values) -> Values:
    """How many of the patterns make each pair's sum of differences at least as large, above the diagonal.

    One product for all teams serves every pair whose sums it gives well within the slack. A pair whose values
    are huge beside its differences, or beside a team that is, gets a product of its own.
    """
    counts = np.zeros((len(rows), len(rows)))
    complete = bool(np.isfinite(rows).all())
    centred = rows - np.median(rows, axis=0)  # cancels in every difference, and keeps their last digits
    sums = centred @ signs if complete else None
    errors = 4 * np.finfo(float).eps * rows.shape[1] * np.abs(centred).sum(axis=1)
    for first in range(len(rows) - 1):
        differences = np.nan_to_num(rows[first] - rows[first + 1 :])
        slack = _SLACK * np.abs(differences).sum(axis=1)
        bound = np.abs(differences.sum(axis=1)) - slack
        if sums is None:
            flipped = differences @ signs
        else:
            flipped = sums[first] - sums[first + 1 :]
            rough = (errors[first] + errors[first + 1 :] > 0.1 * slack) & (slack > 0)
            flipped[rough] = differences[rough] @ signs
        counts[first, first + 1 :] = (np.abs(flipped) >= bound[:, None]).sum(axis=1)
    return counts


def _sampled(rows: Values, extreme: Values, total: int) -> Values:
    """p-values from random patterns, above the diagonal; an upper bound of the exact one where it is less than any.

    Chernoff's: P(Σ ±d ≥ s) ≤ Π cosh(t·d) · e^(−t·s) for every t > 0, here near the best one.
    """
    p = np.triu((1 + extreme) / (1 + total))
    for first in range(len(rows) - 1):
        never = first + 1 + np.flatnonzero(extreme[first, first + 1 :] == 0)
        differences = np.nan_to_num(rows[first] - rows[never])
        differences /= np.abs(differences).max(
            axis=1, keepdims=True
        )  # two teams that are equal are always as extreme
        bounds = _chernoff(np.abs(differences), np.abs(differences.sum(axis=1)))
        p[first, never] = np.minimum(p[first, never], bounds)
    return p


def _chernoff(size: Values, reached: Values) -> Values:
    """Two-sided bounds, (pairs,), from the absolute differences, (pairs, cases), and their sum under the signs seen."""
    t = reached / (size**2).sum(axis=1)  # left of the best one, and Newton's steps stay there
    for _ in range(_NEWTON):
        bent = np.tanh(t[:, None] * size)
        slope = (size**2 * (1 - bent**2)).sum(axis=1)
        lacking = reached - (size * bent).sum(axis=1)
        t = t + np.divide(lacking, slope, out=np.zeros_like(t), where=slope > 1e-9)
    turned = t[:, None] * size
    logs = turned + np.log1p(np.exp(-2 * turned)) - math.log(2)  # of cosh
    bounds: Values = 2 * np.exp(logs.sum(axis=1) - t * reached)
    return bounds


def _signs(cases: int, permutations: int, digest: str) -> Iterator[Values]:
    stream = np.random.Generator(np.random.PCG64(seed_of(digest)))
    for start in range(0, permutations, _BLOCK):
        size = (cases, min(_BLOCK, permutations - start))
        yield 1.0 - 2.0 * stream.integers(0, 2, size=size, dtype=np.int8).astype(np.float64)


def _all_signs(cases: int) -> Iterator[Values]:
    free = max(cases - 1, 0)  # flipping every sign changes no absolute value
    patterns = (np.arange(2**free)[None, :] >> np.arange(free)[:, None]) & 1
    yield np.vstack([np.ones((min(cases, 1), 2**free)), 1.0 - 2.0 * patterns])


def signed_rank_test(cases: Values) -> Values:
    """Wilcoxon's signed rank tests of paired cases (scipy's: exact for few cases without ties).

    Cases in which both are equal, or one is undefined, do not count; if none is left, p is 1.

    Args:
        cases: (teams, cases), NaN where a case is undefined; a row of NaN is a team without the metric.
    """
    from scipy.stats import wilcoxon

    pairs = _empty(len(cases))
    for first in range(len(cases)):
        for second in range(first + 1, len(cases)):
            differences = np.round(cases[first] - cases[second], 12)  # ties are ties in spite of rounding
            differences = differences[np.isfinite(differences) & (differences != 0)]
            p = float(wilcoxon(differences).pvalue) if len(differences) else 1.0
            pairs[first, second] = pairs[second, first] = p
    scored = np.asarray(np.isfinite(cases).any(axis=1), dtype=np.bool_)
    return only_between(pairs, scored)


def holm(p: Values) -> Values:
    """Holm's step-down adjustment over all pairs of a matrix of p-values (Holm 1979); NaN pairs do not count."""
    adjusted = _empty(len(p))
    rows, columns = np.triu_indices(len(p), 1)
    tested = np.isfinite(p[rows, columns])
    rows, columns = rows[tested], columns[tested]
    values = step_down(p[rows, columns])
    adjusted[rows, columns] = values
    adjusted[columns, rows] = values
    return adjusted


def step_down(p: Values) -> Values:
    """Holm's adjusted p-values of one family of tests, shape (tests,)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    steps = np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * steps), 1.0)
    return adjusted


def _empty(teams: int) -> Values:
    return np.full((teams, teams), np.nan)
