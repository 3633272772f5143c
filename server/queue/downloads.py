"""Files that run workers fetch: inputs of cases and blobs of images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from fastapi.responses import FileResponse, StreamingResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contract.problems import ErrorCode
from contract.texts import BINARY
from server.blobs import BlobDamaged, BlobsAway, BlobStore, Piece
from server.errors import DataMissing

LINK_SECONDS = 120.0
"""So long an address in the store opens the one blob that it was signed for; a download that has begun goes on."""
_log = structlog.get_logger()
_BYTES = "application/octet-stream"


class Download(FileResponse):
    """A whole file in large pieces: each one costs the server a change of threads, and images have gigabytes."""

    chunk_size = 1 << 20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it, whatever part of it was asked for: no worker of ours asks for one."""
        headers = [header for header in scope["headers"] if header[0] not in (b"range", b"if-range")]
        await super().__call__({**scope, "headers": headers}, receive, send)


def download(path: Path, media_type: str) -> Download:
    """The file at `path`.

    Raises:
        DataMissing: it is not there.
    """
    if not path.is_file():
        raise _gone()
    return Download(path, media_type=media_type)


def blob_download(blobs: BlobStore, digest: str, size: int | None) -> Response:
    """The blob, of so many bytes; its last piece leaves only once all of it was compared with the digest.

    Raises:
        DataMissing: it is not stored.
    """
    if size is None:
        raise _gone()
    path = blobs.local(digest)
    if path is not None:
        return download(path, _BYTES)
    return StreamingResponse(_sent(blobs, digest), headers={"Content-Length": str(size)}, media_type=_BYTES)


def _sent(blobs: BlobStore, digest: str) -> Iterator[Piece]:
    """What goes wrong now cannot be answered any more: the connection ends short of the length that was announced."""
    try:
        yield from blobs.read(digest)
    except (BlobsAway, BlobDamaged) as problem:
        _log.error("blob_not_sent", digest=digest, why=str(problem))
        raise


def lent(blobs: BlobStore, whose: str, path: Path, sha256: str) -> str | None:
    """An address at which a copy of an input may be read for a moment; None where the server has to send it."""
    try:
        return blobs.lend(whose, path, sha256, LINK_SECONDS)
    except BlobsAway as away:
        _log.warning("input_not_lent", why=away.why)
        return None


def _gone() -> DataMissing:
    said = "The server no longer has this file; its admin has to restore it."
    return DataMissing(ErrorCode.DATA_MISSING, said)


def file_of(media_type: str) -> dict[int | str, dict[str, Any]]:
    """How the API's description names an answer that is a file."""
    return {200: {"content": {media_type: {"schema": BINARY}}}}
