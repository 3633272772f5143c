"""Stores of blobs: files, and two S3 servers, each started when a test first asks for it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.blobs import BlobStore, BucketPlace, FileStore, store_of
from server.disk import Room
from tests.blobs.proxy import Proxy, through
from tests.blobs.servers import S3Server, moto, swift
from tests.server.conftest import (
    captain,
    clients,
    command,
    entrant,
    first_admin,
    fomo26,
    lab,
    person,
    served,
    sessions,
    slug,
    team,
    team_id,
    tus,
)

__all__ = [
    "captain",
    "clients",
    "command",
    "entrant",
    "first_admin",
    "fomo26",
    "lab",
    "person",
    "served",
    "sessions",
    "slug",
    "team",
    "team_id",
    "tus",
]

Stores = Callable[[BucketPlace], BlobStore]


@pytest.fixture(scope="session")
def on_swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with swift(tmp_path_factory.mktemp("s3") / "swift") as server:
        yield server


@pytest.fixture(scope="session")
def on_moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with moto(tmp_path_factory.mktemp("s3") / "moto") as server:
        yield server


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Makes the store of a place, which writes below the test's own folder."""
    return lambda place: store_of(place, FileStore(tmp_path / "blobs", Room(tmp_path, 0)))


@pytest.fixture(params=["on_swift", "on_moto"])
def server(request: pytest.FixtureRequest) -> S3Server:
    """Each of the two."""
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["files", "on_swift", "on_moto"])
def store(request: pytest.FixtureRequest, stores: Stores, tmp_path: Path) -> BlobStore:
    """An empty store: files, and a bucket of each server."""
    if request.param == "files":
        return FileStore(tmp_path / "blobs", Room(tmp_path, 0))
    server: S3Server = request.getfixturevalue(request.param)
    return stores(server.bucket())


@pytest.fixture
def proxy(on_swift: S3Server) -> Iterator[Proxy]:
    """A network that can be told to fail, before the server that looks at everything."""
    with through(on_swift.endpoint) as between:
        yield between
