"""Code of before that made the same values as today's, so that what it scored stays on its board.

A digest changes with any definition, also where that was only moved or said in another way. `equal.json` names, by
metric and kind of output, the digest of the present code and those whose values were the same, which
`tests/evaluator/test_metrics_kept.py` shows. Code that has changed since then has no equal but itself.
"""

import json
from functools import cache
from pathlib import Path

EQUAL = Path(__file__).with_name("equal.json")


def same_values(old: str | None, new: str | None) -> bool:
    """Whether code with the digest `old` is known to make the values of that with `new`."""
    return old == new or (old is not None and old in _equals().get(new or "", ()))


@cache
def _equals() -> dict[str, tuple[str, ...]]:
    """By the digest of present code, those of code that made the same."""
    rows = json.loads(EQUAL.read_text(encoding="utf-8")).values()
    return {present: tuple(before) for present, *before in rows if before}
