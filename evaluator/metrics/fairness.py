"""How evenly a metric treats the groups of each variable."""

import math
from collections.abc import Mapping, Sequence

from evaluator.metrics._errors import NotScored
from evaluator.spec import GroupVariable


def fairness(values: Mapping[str, Mapping[str, float | None]]) -> float:
    """Mean over variables of 1 − (max − min over groups of the metric).

    A group whose value is None is left out. A variable with one group left has no disparity and counts 1; a
    variable with none left is left out. Read the result with the group sizes: small groups differ by chance.

    Args:
        values: per variable, the metric of each group.

    Raises:
        NotScored: no variable has a group with a value.
    """
    scores = []
    for groups in values.values():
        known = [value for value in groups.values() if value is not None]
        if known:
            scores.append(1.0 - (max(known) - min(known)))
    if not scores:
        raise NotScored("the metric is undefined in every group")
    return math.fsum(scores) / len(scores)


def groups_of(variable: GroupVariable, values: Sequence[str | float | None]) -> list[str | None]:
    """The group of each case: lower-cased text, or the bin with an inclusive upper bound; None if unknown.

    A value above the last bound belongs to no bin.
    """
    if variable.bins is None:
        return [str(value).strip().lower() or None if value is not None else None for value in values]
    return [_bin(value, sorted(variable.bins)) for value in values]


def _bin(value: str | float | None, bounds: Sequence[float]) -> str | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    for lower, upper in zip([None, *bounds], bounds, strict=False):
        if number <= upper:
            return f"<= {upper:g}" if lower is None else f"{lower:g} < x <= {upper:g}"
    return None
