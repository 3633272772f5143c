"""What upload endpoints take in a header."""

import base64
import binascii
import re

from pydantic import BaseModel

from contract.problems import ErrorCode
from contract.texts import line
from server.errors import BadRequest

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
MOST_METADATA = 4_000
"""Characters of an Upload-Metadata header."""


class Metadata(BaseModel):
    """What Upload-Metadata says: pairs of a key and a base64 value, separated by commas."""

    sha256: str
    filename: str | None = None
    team: str | None = None

    @classmethod
    def parse(cls, header: str | None) -> "Metadata":
        """The header's content.

        Raises:
            BadRequest: it cannot be read, or the sha256 is missing.
        """
        if header is not None and len(header) > MOST_METADATA:
            detail = f"Upload-Metadata has {len(header):,} characters; at most {MOST_METADATA:,} are allowed."
            raise BadRequest(ErrorCode.BAD_METADATA, detail)
        pairs = (pair.split() for pair in (header or "").split(",") if pair.strip())
        try:
            values = {key: base64.b64decode("".join(value), validate=True).decode() for key, *value in pairs}
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadRequest(
                ErrorCode.BAD_METADATA,
                "Upload-Metadata is 'key base64,key base64'; a value is not base64 of UTF-8.",
            ) from error
        _require_lines(values)
        if not _SHA256.fullmatch(values.get("sha256", "")):
            raise BadRequest(
                ErrorCode.SHA256_MISSING,
                "Upload-Metadata needs 'sha256': the archive's sha256 in 64 hexadecimal digits.",
            )
        filename = values.get("filename")
        return cls(
            sha256=values["sha256"].lower(),
            filename=filename[:200] if filename else None,
            team=values.get("team") or None,
        )


def _require_lines(values: dict[str, str]) -> None:
    for key, value in values.items():
        try:
            line(value)
        except ValueError as error:
            named = key if key in ("sha256", "filename", "team") else "a value"
            raise BadRequest(ErrorCode.BAD_METADATA, f"Upload-Metadata: {named} {error}.") from None
