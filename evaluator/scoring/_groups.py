"""The group of each case, from what the references say of it."""

import math
from collections.abc import Sequence

from evaluator.spec import GroupVariable


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
