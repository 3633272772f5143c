"""Resumable uploads (tus 1.0): after a cut they go on where the server stands."""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from client.api import Client
from client.errors import ArchiveRefused, Local, Problem, Unfinished, Unreachable
from client.state import UploadMemory
from contract.statuses import UploadStatus

CHUNK = 1 << 20
_TUS = {"Tus-Resumable": "1.0.0"}
_AGAIN = frozenset({408, 409, 423, 429, 500, 502, 503, 504, 507})
_MOST_FAILURES = 8
_LONGEST_PAUSE = 30.0
_PATCH = httpx.Timeout(30.0, read=300.0)  # the answer comes once the bytes are on the server's disk

Advance = Callable[[int], None]


def ignore(told: object) -> None:
    """Nothing of it is shown."""


@dataclass(frozen=True)
class ArchiveFile:
    """A file to upload, with the sha256 (hexadecimal) and size in bytes that are announced."""

    path: Path
    sha256: str
    size: int


def read_archive(path: Path, advance: Advance = ignore) -> ArchiveFile:
    """The archive at `path`, hashed; `advance` gets the bytes read so far.

    Raises:
        Local: it cannot be read or is empty.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                digest.update(data)
                size += len(data)
                advance(size)
    except OSError as error:
        raise Local(f"{path} cannot be read: {error.strerror}") from None
    if size == 0:
        raise Local(f"{path} is empty.", "Write it again with `docker save IMAGE -o image.tar`.")
    return ArchiveFile(path, digest.hexdigest(), size)


def upload_archive(
    client: Client,
    slug: str,
    team: str,
    archive: ArchiveFile,
    *,
    memory: UploadMemory | None = None,
    advance: Advance = ignore,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Uploads an archive and returns the upload's id; `advance` gets the bytes sent so far.

    A cut connection is taken up again; an earlier run's unfinished upload of the same bytes is gone on with.

    Raises:
        Problem: the server refuses.
        Unreachable: it did not answer for several attempts without any progress.
    """
    key = f"{client.url} {team} {archive.sha256}"
    location = memory.recall(key) if memory else None
    offset = _offset(client, location) if location else None
    if location is None or offset is None:
        location, offset = _create(client, slug, team, archive), 0
        if memory:
            memory.remember(key, location)
    _send_all(client, location, archive, offset, advance, pause)
    if memory:
        memory.forget(key)
    return location.rstrip("/").rpartition("/")[2]


def wait_for_image(
    client: Client,
    upload_id: str,
    *,
    tell: Callable[[str], None] = ignore,
    pause: Callable[[float], None] = time.sleep,
    timeout: float = 3600.0,
) -> str:
    """The digest of the image in a complete upload, once the server has checked it.

    tell: is called with each sentence on what may keep the image from running.

    Raises:
        ArchiveRefused: with the check's code and sentence.
        Unfinished: the check did not end within `timeout` seconds.
    """
    until = time.monotonic() + timeout
    while True:
        upload = client.upload(upload_id)
        if upload.status == UploadStatus.READY and upload.image:
            for warning in upload.warnings:
                tell(warning)
            return upload.image
        if upload.status == UploadStatus.REJECTED:
            raise ArchiveRefused(upload.code or "unknown", upload.message or "no reason was given.")
        if time.monotonic() > until:
            raise Unfinished(
                upload.message or "The image is still being checked.", "Run the same command again later."
            )
        pause(1.0)


def _create(client: Client, slug: str, team: str, archive: ArchiveFile) -> str:
    pairs = {"filename": archive.path.name, "sha256": archive.sha256, "team": team}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
    headers = {**_TUS, "Upload-Length": str(archive.size), "Upload-Metadata": metadata}
    response = client.request("POST", f"/challenges/{slug}/uploads", headers=headers)
    location = response.headers.get("Location")
    if not location:
        raise Unreachable("The server began an upload but did not say where.", "Update the client with pip.")
    return str(response.url.join(location).path)


def _offset(client: Client, location: str) -> int | None:
    """Where an upload stands; None where it is gone."""
    try:
        response = client.request("HEAD", location, headers=_TUS)
    except Problem as problem:
        if problem.status in (403, 404, 410):
            return None
        raise
    return int(response.headers["Upload-Offset"])


def _send_all(
    client: Client,
    location: str,
    archive: ArchiveFile,
    offset: int,
    advance: Advance,
    pause: Callable[[float], None],
) -> None:
    failures = 0
    advance(offset)
    while offset < archive.size:
        try:
            _send(client, location, archive, offset, advance)
            offset, failures = archive.size, 0
        except (Unreachable, Problem) as error:
            if isinstance(error, Problem) and error.status not in _AGAIN:
                raise
            failures += 1
            if failures > _MOST_FAILURES:
                raise
            pause(min(0.5 * 2**failures, _LONGEST_PAUSE))
            stands = _stands(client, location)
            if stands is not None:
                failures = 0 if stands > offset else failures
                offset = stands
                advance(offset)


def _stands(client: Client, location: str) -> int | None:
    """Where the server stands; None while it does not answer."""
    try:
        offset = _offset(client, location)
    except Unreachable:
        return None
    except Problem as problem:
        if problem.status in _AGAIN:
            return None
        raise
    if offset is None:
        raise Local("The upload was ended on the server.", "Run the same command again to begin a new one.")
    return offset


def _send(client: Client, location: str, archive: ArchiveFile, offset: int, advance: Advance) -> None:
    headers = {
        **_TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(archive.size - offset),
    }
    with archive.path.open("rb") as file:
        file.seek(offset)
        client.request(
            "PATCH", location, headers=headers, content=_bytes(file, offset, advance), timeout=_PATCH
        )


def _bytes(file: BinaryIO, position: int, advance: Advance) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data
        position += len(data)
        advance(position)
