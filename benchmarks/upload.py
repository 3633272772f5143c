"""Receiving an image archive by tus, against nothing but its sha256: the hash every receiver has to make."""

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.support.compare import Comparison, compare
from benchmarks.support.services import installation, server
from evaluator.spec import load_challenge
from server.challenges.service import apply
from server.database import unit_of_work
from server.settings import Settings
from server.tables import open_database
from worker.embedded.data import CHECKOUT

_MEGABYTES = 256
_CHUNK = 2**20


def run() -> list[Comparison]:
    """A whole upload over the loopback interface, to bytes on the disk, into a server process of its own."""
    with installation() as settings:
        _challenge(settings)
        archive = settings.data / "archive.tar"
        archive.write_bytes(os.urandom(_MEGABYTES * 10**6))
        digest = _sha256(archive)
        with server(settings) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=300) as client:
            _sign_in(client)
            result = compare(
                f"upload of {_MEGABYTES} MB",
                ("tus PATCH, durable", lambda: _upload(client, archive, digest)),
                ("sha256 alone", lambda: _sha256(archive)),
                repeat=5,
                megabytes=_MEGABYTES,
            )
    return [result]


def _challenge(settings: Settings) -> None:
    with unit_of_work(open_database(settings.database_url, pool_size=1)) as session:
        apply(session, load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml"), actor="benchmark")


def _sign_in(client: httpx.Client) -> None:
    credentials = {"email": "bench@example.org", "password": "only of this benchmark"}
    client.post("/accounts", json={**credentials, "name": "Bench"}).raise_for_status()
    token = client.post("/sessions", json=credentials).raise_for_status().json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    client.post("/challenges/fomo26/teams", json={"name": "Bench"}).raise_for_status()


def _upload(client: httpx.Client, archive: Path, digest: str) -> None:
    metadata = "sha256 " + base64.b64encode(digest.encode()).decode()
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(archive.stat().st_size)}
    created = client.post("/challenges/fomo26/uploads", headers={**headers, "Upload-Metadata": metadata})
    headers |= {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    location = created.raise_for_status().headers["Location"].removeprefix("/api/v1")
    client.patch(location, headers=headers, content=_chunks(archive)).raise_for_status()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
