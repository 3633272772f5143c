"""Run workers and the store: what a lease covers, from where their host may take it, and what becomes of failures."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from contract.leases import BLOB_ADDRESS, Lease
from server.app import create_app
from server.blobs import BlobsAway, FileStore, store_of
from server.database import unit_of_work
from server.datasets.models import Dataset, DatasetState
from server.evaluations.models import CaseRun
from server.settings import Settings
from server.storage.sweep import sweep
from server.versions.service import drop
from tests.blobs.proxy import Proxy, Weather, through
from tests.blobs.servers import S3Server, swift
from tests.blobs.test_platform import CLOSED
from tests.server.conftest import serving
from tests.server.lab import Entrant, FakeWorker, Lab
from worker.run.config import RunConfig
from worker.run.direct import DirectStore, StoreFailed
from worker.run.lease_client import Damaged, LeaseClient

CONTENT = b"layer of The Team"
LAYER = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
Clients = Callable[[str | None], LeaseClient]


@pytest.fixture(autouse=True)
def _fair_weather(network: Proxy) -> None:
    network.weather = Weather()


@pytest.fixture
def worker(lab: Lab, team: Entrant) -> FakeWorker:
    """A slot for which a case waits."""
    team.submit()
    return lab.worker()


@pytest.fixture
def client(worker: FakeWorker, tmp_path: Path) -> Iterator[Clients]:
    """Makes the client of a run worker, with the token of `worker`, whose host may take blobs from an origin."""
    made: list[LeaseClient] = []

    def make(origin: str | None) -> LeaseClient:
        config = RunConfig(
            server_url=f"http://{worker.http.base_url.netloc.decode()}",
            worker_token=SecretStr(worker.http.headers["Authorization"].removeprefix("Bearer ")),
            worker_dir=tmp_path,
            blobs_origin=origin,
        )
        made.append(LeaseClient(config, worker.name))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _lease(worker: FakeWorker) -> Lease:
    """A lease whose image says of its layer what a check would have found."""
    lease = worker.take()
    lease["image"]["layer_sizes"] = [len(CONTENT)]
    return Lease.model_validate(lease)


def _asked_of_store(network: Proxy, *, signed: bool) -> int:
    """How often the layer was asked for at a signed address, or by the server itself."""
    own = [line for line in network.weather.seen if LAYER[7:] in line and line.startswith("GET")]
    return sum(("X-Amz-Signature" in line) == signed for line in own)


def test_a_host_that_may_ask_the_store_has_its_layers_from_there(
    worker: FakeWorker, client: Clients, network: Proxy, tmp_path: Path
) -> None:
    lease = _lease(worker)
    client(network.endpoint).fetch_blob(lease, LAYER, tmp_path / "layer")
    assert (tmp_path / "layer").read_bytes() == CONTENT
    assert (_asked_of_store(network, signed=True), _asked_of_store(network, signed=False)) == (1, 0)


def test_a_host_that_was_told_nothing_has_them_from_the_server(
    worker: FakeWorker, client: Clients, network: Proxy, tmp_path: Path
) -> None:
    lease = _lease(worker)
    client(None).fetch_blob(lease, LAYER, tmp_path / "layer")
    assert (tmp_path / "layer").read_bytes() == CONTENT
    assert (_asked_of_store(network, signed=True), _asked_of_store(network, signed=False)) == (0, 1)


def _fetched(client: LeaseClient, lease: Lease, target: Path) -> bytes:
    client.fetch_input(lease, "t1w", target)
    return target.read_bytes()


def _copies(lab: Lab, lease: Lease) -> set[str]:
    """The digests of the inputs that lie in the bucket for the version of the leased case."""
    with unit_of_work(lab.sessions) as session:
        folder = Path(session.get_one(CaseRun, lease.case_run).evaluation.dataset.folder).name
    store: Any = lab.settings.blobs
    pages = store.bucket.list(f"inputs/{folder}")
    return {row["path"].rpartition("/")[2] for page in pages for row in page}


def _wait_for_copy(lab: Lab, lease: Lease) -> None:
    until = time.monotonic() + 60
    while not _copies(lab, lease):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_second_host_has_an_input_from_a_copy_in_the_store(
    worker: FakeWorker, lab: Lab, client: Clients, network: Proxy, tmp_path: Path
) -> None:
    lease = _lease(worker)
    content = _fetched(client(network.endpoint), lease, tmp_path / "first")
    assert content.startswith(b"voxels of case")
    _wait_for_copy(lab, lease)
    assert _copies(lab, lease) == {lease.inputs["t1w"].sha256}
    network.weather = Weather()
    assert _fetched(client(network.endpoint), lease, tmp_path / "second") == content
    (asked,) = (line for line in network.weather.seen if "X-Amz-Signature" in line)
    assert lease.inputs["t1w"].sha256 in asked
    assert "sub-" not in asked, "an address names no case"
    network.weather = CLOSED
    assert _fetched(client(network.endpoint), lease, tmp_path / "third") == content
    assert _fetched(client(None), lease, tmp_path / "fourth") == content


def test_no_input_is_copied_unless_an_admin_said_that_it_may_lie_there(
    worker: FakeWorker, lab: Lab, settings: Settings
) -> None:
    lease = worker.take()
    with serving(create_app(settings.model_copy(update={"blobs_inputs": False}))) as url:
        answer = httpx.get(
            f"{url}/api/v1/worker/leases/{lease['case_run']}/inputs/t1w",
            params={"claim_no": lease["claim_no"], "direct": "true"},
            headers={"Authorization": worker.http.headers["Authorization"]},
        )
    assert (answer.status_code, answer.content[:6]) == (200, b"voxels")
    assert _copies(lab, Lease.model_validate(lease)) == set()


def test_a_version_that_is_dropped_has_no_copy_left_and_none_goes_while_the_store_is_away(
    lab: Lab, network: Proxy, tmp_path: Path
) -> None:
    dataset, later = lab.dataset("task3"), lab.dataset("task3")
    with unit_of_work(lab.sessions) as session:
        folder = Path(session.get_one(Dataset, dataset).folder).name
        kept = Path(session.get_one(Dataset, later).folder).name
    path = tmp_path / "voxels"
    path.write_bytes(b"voxels")
    store: Any = lab.settings.blobs
    for name in (folder, kept):
        store.bucket.put(f"inputs/{name}/{'0' * 64}", path)
    network.weather = CLOSED
    with unit_of_work(lab.sessions) as session, pytest.raises(BlobsAway):
        drop(session, session.get_one(Dataset, dataset), settings=lab.settings, actor="tests")
    network.weather = Weather()
    with unit_of_work(lab.sessions) as session:
        assert session.get_one(Dataset, dataset).state == DatasetState.SUPERSEDED
        drop(session, session.get_one(Dataset, dataset), settings=lab.settings, actor="tests")
    assert {folder, kept} & store.lenders() == {kept}
    store.bucket.put(f"inputs/{folder}/{'0' * 64}", path)  # as where it was dropped by whoever knew no bucket
    sweep(lab.sessions, lab.settings)
    assert {folder, kept} & store.lenders() == {kept}


def test_an_address_is_given_for_what_the_lease_covers_and_for_nothing_else(
    worker: FakeWorker, lab: Lab, team: Entrant
) -> None:
    lease = worker.take()
    foreign = lab.settings.blobs.put(b"of another team")
    answer = worker.http.get(
        f"/worker/leases/{lease['case_run']}/blobs/{foreign}",
        params={"claim_no": lease["claim_no"], "direct": "true"},
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_blob")
    path = f"/worker/leases/{lease['case_run']}/blobs/{LAYER}"
    answer = worker.http.get(path, params={"claim_no": lease["claim_no"], "direct": "true"})
    assert answer.status_code == 204
    assert answer.headers["Cache-Control"] == "no-store"
    assert "X-Amz-Expires=120" in answer.headers[BLOB_ADDRESS]
    assert httpx.get(answer.headers[BLOB_ADDRESS], trust_env=False).content == CONTENT
    lab.expire(lease)
    answer = worker.http.get(path, params={"claim_no": lease["claim_no"], "direct": "true"})
    assert (answer.status_code, answer.json()["code"]) == (409, "lease_lost")


def test_a_host_follows_to_no_other_place_than_it_was_told(
    worker: FakeWorker, client: Clients, network: Proxy, tmp_path: Path, on_swift: S3Server
) -> None:
    lease = _lease(worker)
    client(on_swift.endpoint).fetch_blob(lease, LAYER, tmp_path / "layer")
    assert (tmp_path / "layer").read_bytes() == CONTENT
    assert _asked_of_store(network, signed=True) == 0


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:1@evil/x", "//127.0.0.1/x", ""])
def test_an_address_that_is_none_is_not_followed(address: str, tmp_path: Path) -> None:
    store = DirectStore("http://127.0.0.1:1")
    with pytest.raises(StoreFailed, match="the server names"):
        store.fetch(address, tmp_path / "layer", "0" * 64, 10)
    store.close()


@pytest.mark.parametrize(
    "weather", [{"closed": True, "least": 0}, {"flip": 3, "times": 1}, {"cut": 3, "times": 1}], ids=str
)
def test_a_store_that_fails_is_asked_through_the_server_and_left_alone_for_a_while(
    worker: FakeWorker, lab: Lab, network: Proxy, client: Clients, tmp_path: Path, weather: dict[str, int]
) -> None:
    """The host has a network of its own to the store, which fails; the server's does not."""
    lease = _lease(worker)
    with through(network.endpoint) as theirs:
        theirs.weather = Weather(**weather)
        store = DirectStore(theirs.endpoint)
        address = str(lab.settings.blobs.link(LAYER, 60)).replace(network.endpoint, theirs.endpoint)
        with pytest.raises(StoreFailed):
            store.fetch(address, tmp_path / "direct", LAYER[7:], len(CONTENT))
        assert not store.is_open
        assert not (tmp_path / "direct").exists()
        store.close()
    own = client(network.endpoint)
    network.weather = Weather(**{"times": 1, **weather}) if "closed" not in weather else Weather()
    own.fetch_blob(lease, LAYER, tmp_path / "layer")
    own.fetch_blob(lease, LAYER, tmp_path / "again")
    assert (tmp_path / "layer").read_bytes() == (tmp_path / "again").read_bytes() == CONTENT


def test_what_comes_is_readable_by_nobody_else_also_when_it_is_asked_for_again(
    worker: FakeWorker, client: Clients, network: Proxy, tmp_path: Path
) -> None:
    lease, target = _lease(worker), tmp_path / "layer"
    network.weather = Weather(least=len(CONTENT), flip=3)
    with pytest.raises((Damaged, httpx.HTTPError)):
        client(network.endpoint).fetch_blob(lease, LAYER, target)
    assert not target.exists()
    network.weather = Weather()
    client(network.endpoint).fetch_blob(lease, LAYER, target)
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_store_that_lies_to_everybody_is_no_input_and_no_loop(
    worker: FakeWorker, client: Clients, network: Proxy, tmp_path: Path
) -> None:
    lease = _lease(worker)
    network.weather = Weather(least=len(CONTENT), flip=3)
    with pytest.raises((Damaged, httpx.HTTPError)):
        client(network.endpoint).fetch_blob(lease, LAYER, tmp_path / "layer")
    assert not (tmp_path / "layer").exists()


def test_a_store_may_not_send_more_than_the_layer_has(
    lab: Lab, network: Proxy, team: Entrant, tmp_path: Path
) -> None:
    store = DirectStore(network.endpoint)
    address = str(lab.settings.blobs.link(LAYER, 60))
    with pytest.raises(StoreFailed, match="more than the blob's 4 bytes"):
        store.fetch(address, tmp_path / "layer", LAYER[7:], 4)
    assert not (tmp_path / "layer").exists()
    store.close()


def test_a_clock_that_is_off_is_told_with_its_hours(tmp_path: Path) -> None:
    with swift(tmp_path / "swift", ahead=3 * 3600) as tomorrow:
        files = FileStore(tmp_path / "blobs")
        address = str(store_of(tomorrow.place("any-bucket"), files).link(LAYER, 60))
        store = DirectStore(tomorrow.endpoint)
        with pytest.raises(StoreFailed, match=r"its clock is \+3\.0 hours from this host's"):
            store.fetch(address, tmp_path / "layer", LAYER[7:], 100)
        store.close()


@pytest.mark.parametrize(
    "origin", ["s3.example", "https://s3.example/bucket", "https://a@s3.example", "ftp://x"]
)
def test_an_origin_is_scheme_host_and_port(origin: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="scheme, host and port"):
        RunConfig(
            server_url="http://s", worker_token=SecretStr("t"), worker_dir=tmp_path, blobs_origin=origin
        )
    assert urlsplit(origin).geturl() == origin


@pytest.mark.parametrize("name", ["PROCTOR_BLOBS_ACCESS_KEY", "PROCTOR_BLOBS_SECRET_KEY"])
def test_a_run_worker_refuses_the_keys_of_the_store(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, "a key")
    with pytest.raises(ValidationError, match=name):
        RunConfig(server_url="http://s", worker_token=SecretStr("t"), worker_dir=tmp_path)
