"""Stores of blobs: files, and two S3 servers, each started when a test first asks for it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from server.blobs import BlobStore, BucketPlace, FileStore, store_of
from server.disk import Room
from server.settings import Settings
from tests.blobs.proxy import Proxy, through
from tests.blobs.servers import S3Server, moto, swift
from tests.server.conftest import (
    SETUP_TOKEN,
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


@pytest.fixture(scope="session")
def network(on_swift: S3Server) -> Iterator[Proxy]:
    """What lies between the platform of these tests and its store."""
    with through(on_swift.endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def settings(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, on_swift: S3Server, network: Proxy
) -> Settings:
    place = on_swift.bucket()
    return Settings.model_validate(
        {
            "data": tmp_path_factory.mktemp("data"),
            "secret_key": "k" * 40,
            "DATABASE_URL": postgres_url,
            "setup_token": SETUP_TOKEN,
            "hold_ends": False,
            "requests_per_token": 1_000_000,
            "requests_per_address": 1_000_000,
            "BLOBS_URL": f"s3://{place.bucket}/{place.prefix}",
            "blobs_endpoint": network.endpoint,
            "blobs_inputs": True,
            "blobs_access_key": place.access_key,
            "blobs_secret_key": SecretStr(place.secret_key),
        }
    )
