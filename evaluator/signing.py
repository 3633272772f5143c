"""Signatures of receipts, bundles and heads, as every side makes sure of them: Ed25519 (RFC 8032) over canonical JSON.

The evaluator itself needs no cryptography: the package is looked for when a signature is checked.
"""

import base64
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_WITH_EXPONENT = 1e16  # from here on Python writes a float, which has no fraction any more, with an exponent


def canonical(content: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys and no spaces, its numbers as the database gives them back: the bytes that are signed."""
    return json.dumps(_stored(content), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _stored(value: Any) -> Any:
    """`value` after a way through jsonb, which writes no exponents and knows no zero with a sign."""
    if isinstance(value, Mapping):
        return {key: _stored(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_stored(item) for item in value]
    if isinstance(value, float) and math.isfinite(value):
        return int(Decimal(repr(value))) if abs(value) >= _WITH_EXPONENT else value + 0.0  # no -0.0
    return value


def can_verify() -> bool:
    """Whether signatures can be checked here."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        return False
    return True


def verify(content: Mapping[str, Any], signature: str, key: str) -> bool:
    """Whether `signature` is the signature of `content` by the holder of public key `key`; both in base64.

    Raises:
        ImportError: `can_verify` says no.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(signature, validate=True), canonical(content))
    except (InvalidSignature, ValueError):
        return False
    return True
