"""Receipts: the signed statement of what ran on what, with what. Ed25519 over canonical JSON.

A receipt names cases by pseudonym only. Of hidden cases its team gets another statement, without what is said of
single ones: the digest of an output that has few values, or the seconds of a case, would tell of the case.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evaluator.scoring import Report
from evaluator.signing import canonical
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Receipt
from server.settings import Settings


def statement(
    evaluation: Evaluation, reports: Mapping[str, Report], *, source: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What is signed. source: the git commit of the images and whether its tree was clean, as the team says."""
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
        **_checkpoint(evaluation),
        **({} if source is None else {"source": dict(source)}),
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


def without_cases(receipt: Receipt, shown: Mapping[str, Any], cases: Mapping[str, Any]) -> dict[str, Any]:
    """What a team gets of a receipt whose cases are hidden: scores as they are `shown`, and of `cases` counts.

    `whole` names the receipt that organizers have, by the digest of its signature: whoever is given that one can
    compare, and nobody can find it out by trying.
    """
    whole = hashlib.sha256(base64.b64decode(receipt.signature)).hexdigest()
    return dict(receipt.statement) | {"scores": dict(shown), "cases": dict(cases), "whole": f"sha256:{whole}"}


def _replaces(evaluation: Evaluation) -> dict[str, str]:
    """What made it and in whose place it comes, of one that a re-evaluation made."""
    if evaluation.reevaluation_id is None:
        return {}
    return {"reevaluation": str(evaluation.reevaluation_id), "replaces": str(evaluation.replaces_id)}


def _checkpoint(evaluation: Evaluation) -> dict[str, Any]:
    """The pretrained checkpoint that the image declares, and whether it holds that; nothing where nobody has looked."""
    found = evaluation.image.facts.checkpoint
    return {} if found is None else {"checkpoint": {"state": found.state.value, "sha256": found.sha256}}


def _key(settings: Settings) -> Ed25519PrivateKey:
    secret = settings.secret_key.get_secret_value().encode()
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(secret, b"proctor receipts", "sha256"))


def public_key(settings: Settings) -> str:
    """The server's public key, base64 of its 32 bytes."""
    return base64.b64encode(_key(settings).public_key().public_bytes_raw()).decode()


def sign(content: Mapping[str, Any], settings: Settings) -> str:
    """The signature, base64 of its 64 bytes."""
    return base64.b64encode(_key(settings).sign(canonical(content))).decode()
