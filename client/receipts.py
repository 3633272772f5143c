"""Receipts on this machine: written as they were fetched, and verified without any server."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from client.checked import facts_of
from client.errors import ClientError, Exit, Local
from contract.evaluations import ReceiptKeyOut, ReceiptOut
from evaluator.signing import verify

_MOST = 64 * 2**20


class Invalid(ClientError):
    """A receipt does not say what it should, or nobody known has signed it."""

    exit_code = Exit.REJECTED


class KeptReceipt(BaseModel):
    """A receipt as a file has it: what the server answered, and which server with which keys that was."""

    model_config = ConfigDict(extra="ignore")

    server: str | None = None
    keys: list[ReceiptKeyOut] = []
    receipt: ReceiptOut

    @classmethod
    def read(cls, path: Path) -> "KeptReceipt":
        """The receipt in a file of `proctor receipt`, or of what the server answered, as it is.

        Raises:
            Local: it cannot be read, or is none.
        """
        content = _json(path)
        try:
            bare = isinstance(content, dict) and "receipt" not in content
            return cls(receipt=ReceiptOut.model_validate(content)) if bare else cls.model_validate(content)
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise Local(
                f"{path} is no receipt: field {field or '(the whole)'} is missing or wrong.",
                "`proctor receipt` writes one.",
            ) from None


def require_signed(kept: KeptReceipt, keys: Path | None) -> tuple[str, str]:
    """The key that signed the receipt, in base64, and whose word it is that the key is the server's.

    Raises:
        Invalid: none of the keys has signed this statement.
        Local: the file of keys cannot be read, or holds none.
    """
    if keys is not None:
        known, vouches = list(_keys(keys)), f"it is one of those in {keys}"
    elif kept.keys:
        known, vouches = (
            [key.key for key in kept.keys],
            f"{kept.server} named it when the receipt was fetched",
        )
    else:
        known = [kept.receipt.key] if kept.receipt.key else []
        vouches = "nobody but the receipt itself names it; give the server's keys with --key"
    for key in known:
        if verify(kept.receipt.statement, kept.receipt.signature, key):
            return key, vouches
    where = f"of the {len(known)} keys in {keys}" if keys else "that it names"
    raise Invalid(
        f"The receipt does not verify: its statement was changed, or no key {where} has signed it.",
        "Fetch it anew with `proctor receipt`, and the keys from the server: GET /api/v1/receipts/keys.",
    )


def require_image(statement: Mapping[str, Any], archive: Path) -> str:
    """The digest of a local archive or SIF file, which is the one that the receipt names.

    Raises:
        Invalid: it is another image.
        Local, ArchiveRefused: it cannot be read, or is no image.
    """
    facts = facts_of(archive)
    if facts.digest != statement.get("image"):
        raise Invalid(
            f"{archive} is another image: {facts.digest}. The receipt is of {statement.get('image')}."
        )
    return facts.digest


def _keys(path: Path) -> Iterator[str]:
    """Base64 text, an object with `key`, or a list of these, as GET /receipts/key and /receipts/keys answer."""
    text = _text(path)
    try:
        content = json.loads(text)
    except ValueError:
        content = text.strip()
    rows = content if isinstance(content, list) else [content]
    found = [row.get("key") if isinstance(row, dict) else row for row in rows]
    keys = [key for key in found if isinstance(key, str) and key]
    if not keys:
        raise Local(f"{path} holds no key.", "Save what GET /api/v1/receipts/keys answers.")
    yield from keys


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except (ValueError, RecursionError):
        raise Local(f"{path} is no receipt: it holds no JSON.", "`proctor receipt` writes one.") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise Local(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > _MOST:
        raise Local(f"{path} has more than {_MOST // 2**20} MiB: that is no receipt.")
    return content.decode(errors="replace")
