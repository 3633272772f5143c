"""What a run worker notes of a case for its receipt: any JSON, brought to a bounded size and depth."""

import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from contract.bounds import Few
from contract.texts import Cleaned

MOST_RECEIPT = 64 * 2**10
"""Bytes of a receipt as JSON; a real one has about three thousand."""
_MOST_KEYS = 50
_DEEPEST, _LONGEST_KEY = 8, 100
_WHOLE = 2**63
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _kept(receipt: object) -> object:
    """A receipt as a request has it, brought to its bounds; what is none is left to whoever reads the request."""
    return _bounded(receipt) if isinstance(receipt, Mapping) else receipt


def _bounded(receipt: Mapping[str, object]) -> dict[str, Any]:
    """The receipt with plain values; one that is too large or too deep is left out, and that is said."""
    plain = _plain(receipt, 0)
    size = len(json.dumps(plain, ensure_ascii=False).encode())
    if size <= MOST_RECEIPT and len(plain) <= _MOST_KEYS:
        return dict(plain)
    short = {"left_out": f"The worker's receipt had {size:,} bytes; {MOST_RECEIPT:,} are kept at most."}
    return short | {key: True for key in ("invoke",) if receipt.get(key) is True}


def _plain(value: object, depth: int) -> Any:
    """`value` as JSON of bounded depth, in which every text can be kept and every number is one."""
    if isinstance(value, str):
        return _storable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < _WHOLE else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {_storable(str(key))[:_LONGEST_KEY]: _plain(part, depth + 1) for key, part in value.items()}
    return [_plain(part, depth + 1) for part in value] if isinstance(value, list | tuple) else None


def _storable(text: str) -> str:
    """`text` as a column can hold it: NUL or half a surrogate pair must not make a verdict unstorable."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


RunReceipt = Annotated[
    dict[Annotated[str, Cleaned(_LONGEST_KEY)], Any], Few(_MOST_KEYS), BeforeValidator(_kept)
]
"""The field of a body that holds such notes."""
