"""What the installation signed: each receipt, and the checksums with the moment they were made.

Where cryptography is not installed, signatures are not checked, and that is said.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluator.bundle._manifest import MADE, SUMS, Bundle, BundleError
from evaluator.signing import can_verify, verify


def statement_of(folder: Path, made_at: str, audit_head: Any) -> dict[str, Any]:
    """What is signed of a whole bundle."""
    digest = hashlib.sha256((folder / SUMS).read_bytes()).hexdigest()
    return {"bundle": 1, "sums": f"sha256:{digest}", "made_at": made_at, "audit_head": audit_head}


def _holds(content: Mapping[str, Any], signature: str, keys: Collection[str]) -> bool:
    return any(verify(content, signature, key) for key in keys)


def wrong_statement(bundle: Bundle) -> Iterator[str]:
    """A sentence for each way in which the signed statement is not about these files."""
    content = _json(bundle, MADE)
    statement = content.get("statement", {})
    digest = hashlib.sha256((bundle.folder / SUMS).read_bytes()).hexdigest()
    if statement.get("sums") != f"sha256:{digest}":
        yield f"{SUMS}: is not the one that {MADE} is about"
    if can_verify() and not _holds(statement, str(content.get("signature")), keys_of(bundle)):
        yield f"{MADE}: its signature is by none of the keys of receipts/keys.json"


def keys_of(bundle: Bundle) -> list[str]:
    """The public keys of the installation, as the bundle has them."""
    return [str(key["key"]) for key in _json(bundle, "receipts/keys.json")["keys"]]


def receipts_of(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """Every receipt by its evaluation: `statement` and `signature`."""
    folder = bundle.folder / "receipts"
    return {
        path.stem: _json(bundle, f"receipts/{path.name}")
        for path in sorted(folder.glob("*.json"))
        if path.stem != "keys"
    }


def wrong_receipts(bundle: Bundle, receipts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each receipt whose signature does not hold, or that is of another evaluation."""
    keys = keys_of(bundle)
    for evaluation, receipt in receipts.items():
        statement = receipt["statement"]
        if statement.get("evaluation") != evaluation:
            yield f"receipts/{evaluation}.json: is about another evaluation"
        if can_verify() and not _holds(statement, receipt["signature"], keys):
            yield f"receipts/{evaluation}.json: its signature is by none of the keys of receipts/keys.json"


def _json(bundle: Bundle, name: str) -> dict[str, Any]:
    try:
        content = json.loads((bundle.folder / name).read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"{name}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise BundleError(f"{name}: is no JSON object")
    return content
