"""Receipts: the signed statement of what ran on what, with what. Ed25519 over canonical JSON.

A receipt names cases by pseudonym only, so it can be shown to the team it belongs to.
"""

import base64
import hmac
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from evaluator.scoring import Report
from server.evaluations.models import Evaluation
from server.settings import Settings

_WITH_EXPONENT = 1e16  # from here on Python writes a float, which has no fraction any more, with an exponent


def statement(evaluation: Evaluation, reports: Mapping[str, Report]) -> dict[str, Any]:
    """What is signed."""
    return {
        "receipt": 1,
        "evaluation": str(evaluation.id),
        **_replaces(evaluation),
        "submission": str(evaluation.submission_id),
        "team": str(evaluation.team_id),
        "task": evaluation.task,
        "track": evaluation.track,
        "phase": evaluation.phase,
        "image": evaluation.image.digest,
        "spec": evaluation.spec_version.digest,
        "dataset": evaluation.dataset.digest,
        "evaluator": evaluation.evaluator_version,
        "scored_with": evaluation.scored_with,
        "scores": {
            board: {name: metric.value for name, metric in report.metrics.items()}
            for board, report in reports.items()
        },
        "cases": [
            {
                "case": run.pseudonym,
                "claim_no": run.claim_no,
                "verdict": run.verdict,
                "output": run.output,
                "seconds": run.seconds,
                "run": run.receipt,
            }
            for run in evaluation.runs
        ],
    }


def _replaces(evaluation: Evaluation) -> dict[str, str]:
    """What made it and in whose place it comes, of one that a re-evaluation made."""
    if evaluation.reevaluation_id is None:
        return {}
    return {"reevaluation": str(evaluation.reevaluation_id), "replaces": str(evaluation.replaces_id)}


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


def _key(settings: Settings) -> Ed25519PrivateKey:
    secret = settings.secret_key.get_secret_value().encode()
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(secret, b"proctor receipts", "sha256"))


def public_key(settings: Settings) -> str:
    """The server's public key, base64 of its 32 bytes."""
    return base64.b64encode(_key(settings).public_key().public_bytes_raw()).decode()


def sign(content: Mapping[str, Any], settings: Settings) -> str:
    """The signature, base64 of its 64 bytes."""
    return base64.b64encode(_key(settings).sign(canonical(content))).decode()


def verify(content: Mapping[str, Any], signature: str, key: str) -> bool:
    """Whether `signature` is the signature of `content` by the holder of public key `key`."""
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))
    try:
        public.verify(base64.b64decode(signature), canonical(content))
    except InvalidSignature:
        return False
    return True
