"""How far apart values truly are: estimates lie farther apart than what they estimate."""

import numpy as np

from evaluator.ranking import Values

_STEPS = 100
_FAR = 3.0  # standard errors


def centres(values: Values, noise: Values) -> Values:
    """Each column's values, drawn together as far as their noise alone explains their distance; same shape.

    Ranks of resampled estimates vary less than ranks of estimates where teams are nearly equal: a resample starts from
    differences that are chance themselves. The values are replaced by their posterior means under the distribution of
    values that makes the observed ones most likely (Kiefer and Wolfowitz 1956; for normal means Jiang and Zhang, Annals
    of Statistics 2009), with its atoms at the observed values. Teams far from all others stay where they are;
    two teams alone are taken for equal unless they are far apart.

    Args:
        values: (columns, teams), NaN where a team has none.
        noise: (draws, columns, teams) errors of the values, paired between teams.
    """
    found = values.copy()
    for column, row in enumerate(values):
        known = np.flatnonzero(np.isfinite(row))
        if len(known) > 1:
            own = noise[:, column, known]
            spread = (own - own.mean(axis=1, keepdims=True)).std(axis=0)
            found[column, known] = _posterior_means(row[known], spread)
    return found


def _posterior_means(values: Values, spread: Values) -> Values:
    if len(values) == 2:  # too few to learn from: equal unless they are far apart
        far = abs(values[0] - values[1]) > _FAR * spread.sum()
        return values if far else np.full(2, values.mean())
    distances = values[:, None] - values[None, :]
    with np.errstate(over="ignore"):
        likely = np.exp(-0.5 * (distances / np.maximum(spread, np.finfo(float).tiny)[:, None]) ** 2)
    share = np.full(len(values), 1 / len(values))
    for _ in range(_STEPS):
        weighted = likely * share
        share = (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
    weighted = likely * share
    # Distances, so that what has no neighbour stays to the digit.
    means: Values = values - (weighted * distances).sum(axis=1) / weighted.sum(axis=1)
    return means
