"""Filling the server's disk: small archives that unpack to much, announcements without bytes, outputs sent again.

Everything lies on an ext4 disk of 400 MB of the test's own; the server keeps 100 MB of it.
"""

import gzip
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from contract.statuses import UploadStatus
from server.database import SessionFactory, unit_of_work
from server.settings import Settings
from server.uploads.models import Upload
from server.uploads.stored import total
from tests.abuse.small_disk import MIB, fill, free, mounted, refused, serving
from tests.sandbox.archives import legacy, pack, tar
from tests.server.conftest import Person, Tus
from worker.score.images import check_waiting

RESERVE = 100 * MIB


@dataclass(frozen=True)
class Small:
    """A server on a small disk of its own, with the database of the other tests."""

    settings: Settings
    address: str
    sessions: SessionFactory
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.settings.data

    def client(self, person: Person) -> httpx.Client:
        headers = {"Authorization": f"Bearer {person.token}"}
        self.clients.append(httpx.Client(base_url=f"{self.address}/api/v1", headers=headers, timeout=30))
        return self.clients[-1]

    def tus(self, person: Person) -> Tus:
        return Tus(self.client(person))

    def leave(self, size: int) -> Path:
        """Fills the disk with a file of somebody else's until `size` bytes are free."""
        path = self.root / "somebody-elses"
        fill(path, free(self.root) - size)
        return path


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    with mounted(400 * MIB) as root:
        yield root


@pytest.fixture
def small(disk: Path, settings: Settings, sessions: SessionFactory) -> Iterator[Small]:
    with unit_of_work(sessions) as session:
        waiting = Upload.status.in_([UploadStatus.CHECKING, UploadStatus.RECEIVING])
        session.execute(update(Upload).where(waiting).values(status=UploadStatus.REJECTED))
    own = settings.model_copy(update={"data": disk, "disk_reserve": RESERVE})
    with serving(own) as (address, own_sessions):
        small = Small(own, address, own_sessions)
        yield small
        for client in small.clients:
            client.close()
    for folder in ("uploads", "blobs"):
        for path in sorted((disk / folder).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    (disk / "somebody-elses").unlink(missing_ok=True)


def _bomb(unpacked: int) -> bytes:
    """An image whose one layer comes compressed, at some hundredth of its size."""
    zeros = bytes(64 * 1024 - 400)
    content = b"".join(os.urandom(400) + zeros for _ in range(unpacked // (64 * 1024)))
    layer = tar((f"zeros-{time.time_ns()}", content))
    members = legacy(layer)
    return pack({name: gzip.compress(one, 1) if one is layer else one for name, one in members.items()})


def _check(small: Small) -> None:
    check_waiting(small.sessions, small.settings)


def test_an_archive_that_unpacks_to_more_than_there_is_leaves_the_reserve(
    small: Small, captain: Person, slug: str
) -> None:
    tus = small.tus(captain)
    held = small.leave(RESERVE + 40 * MIB)
    upload = tus.upload(slug, _bomb(120 * MIB))
    lowest = _watched(small, lambda: _check(small))
    assert lowest > 0.7 * RESERVE
    shown = tus.http.get(f"/uploads/{upload['id']}").json()
    assert (shown["status"], shown["code"]) == ("checking", "storage_full")
    assert "no room to unpack" in shown["message"]
    files = [one for one in (small.root / "blobs").rglob("*") if one.is_file()]
    assert not files, "what was unpacked is gone again"
    _check(small)
    assert tus.http.get(f"/uploads/{upload['id']}").json()["status"] == "checking", "it waits for room"

    held.unlink()
    _let_pauses_end(small)
    _check(small)
    shown = tus.http.get(f"/uploads/{upload['id']}").json()
    assert (shown["status"], shown["code"], shown["message"]) == ("ready", None, None)


def test_waiting_for_room_costs_an_upload_none_of_its_tries(small: Small, captain: Person, slug: str) -> None:
    tus = small.tus(captain)
    held = small.leave(RESERVE + 10 * MIB)
    upload = tus.upload(slug, _bomb(60 * MIB))
    for _ in range(6):
        _let_pauses_end(small, forget_needs=True)
        _check(small)
    assert tus.http.get(f"/uploads/{upload['id']}").json()["status"] == "checking"
    held.unlink()
    _let_pauses_end(small)
    _check(small)
    assert tus.http.get(f"/uploads/{upload['id']}").json()["status"] == "ready"


def _let_pauses_end(small: Small, *, forget_needs: bool = False) -> None:
    values: dict[str, Any] = {"check_not_before": None} | ({"check_needs": None} if forget_needs else {})
    with unit_of_work(small.sessions) as session:
        session.execute(update(Upload).where(Upload.status == UploadStatus.CHECKING).values(**values))


def _watched(small: Small, work: Callable[[], None]) -> int:
    """The fewest bytes that were free while something was done."""
    lowest, over = [free(small.root)], threading.Event()

    def look() -> None:
        while not over.wait(0.002):
            lowest.append(free(small.root))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        work()
    finally:
        over.set()
        thread.join()
    return min(lowest)


def test_uploads_that_are_only_announced_block_nobody(
    small: Small, captain: Person, stranger: Person, slug: str
) -> None:
    tus, other = small.tus(captain), small.tus(stranger)
    for _ in range(8):
        assert tus.create(slug, b"", length=150 * MIB).status_code == 201
    data = os.urandom(2 * MIB)
    assert other.upload(slug, data)["status"] == "checking"


def test_what_does_not_fit_is_told_how_much_would(small: Small, captain: Person, slug: str) -> None:
    small.leave(RESERVE + 30 * MIB)
    told = refused(small.tus(captain).create(slug, b"", length=150 * MIB))
    assert "This needs 150.0 MiB" in told
    assert "has room for" in told
    assert "full" not in told, "it is not"


def test_an_upload_stops_at_the_reserve_and_goes_on_when_there_is_room(
    small: Small, captain: Person, slug: str
) -> None:
    tus, data = small.tus(captain), os.urandom(90 * MIB)
    location = tus.begin(slug, data)

    def disturbed() -> Iterator[bytes]:
        """Somebody else takes the room while the bytes come."""
        for start in range(0, len(data), MIB):
            if start == 10 * MIB:
                small.leave(RESERVE + 20 * MIB)
            yield data[start : start + MIB]

    try:
        told = refused(tus.patch(location, 0, disturbed()))
        assert "Nothing that was received is lost" in told
    except httpx.TransportError:
        pass  # it hung up while this side still sent
    offset = tus.offset(location)
    assert 8 * MIB <= offset <= 40 * MIB
    assert free(small.root) >= RESERVE - 4 * MIB
    told = refused(tus.patch(location, offset, data[offset:]))
    assert "full" in told or "has room for" in told
    (small.root / "somebody-elses").unlink()
    assert tus.patch(location, offset, data[offset:]).status_code == 204
    assert tus.http.get(location).json()["status"] == "checking"


def test_of_uploads_that_do_not_fit_together_the_first_gets_through(
    small: Small, captain: Person, stranger: Person, slug: str
) -> None:
    first, second = small.tus(captain), small.tus(stranger)
    data = os.urandom(80 * MIB)
    small.leave(RESERVE + 130 * MIB)
    places = [first.begin(slug, data), second.begin(slug, data)]
    assert first.patch(places[0], 0, data[: 40 * MIB]).status_code == 204
    at, answer = 0, None
    while answer is None or answer.status_code == 204:
        answer = second.patch(places[1], at, data[at : at + 5 * MIB])
        at = second.offset(places[1])
    told = refused(answer)
    assert "began earlier" in told
    assert first.patch(places[0], 40 * MIB, data[40 * MIB :]).status_code == 204


def test_a_team_stores_no_more_than_it_may(
    small: Small, captain: Person, stranger: Person, slug: str
) -> None:
    own = small.settings.model_copy(update={"team_storage": 50 * MIB})
    with serving(own) as (address, _):
        bounded = Small(own, address, small.sessions, small.clients)
        tus = bounded.tus(captain)
        location = tus.begin(slug, b"", length=30 * MIB, sha256="0" * 64)
        told = refused(tus.create(slug, b"", length=30 * MIB), "team_storage_full")
        assert "60.0 MiB" in told
        assert "50.0 MiB" in told
        assert "disk" not in told
        assert bounded.tus(stranger).create(slug, b"", length=30 * MIB).status_code == 201
        assert tus.http.delete(location).status_code == 204
        upload = tus.upload(slug, _bomb(60 * MIB))
        _check(bounded)
        shown = tus.http.get(f"/uploads/{upload['id']}").json()
        assert (shown["status"], shown["code"]) == ("rejected", "team_storage_full")
        files = [one for one in (bounded.root / "blobs").rglob("*") if one.is_file()]
        assert not files, "and what was unpacked for it is gone at once"


def test_an_image_that_is_too_much_for_one_team_stays_with_those_who_have_it(
    small: Small, captain: Person, stranger: Person, slug: str
) -> None:
    archive, other = _bomb(60 * MIB), small.tus(stranger)
    theirs = other.upload(slug, archive)
    _check(small)
    assert other.http.get(f"/uploads/{theirs['id']}").json()["status"] == "ready"
    own = small.settings.model_copy(update={"team_storage": 50 * MIB})
    with serving(own) as (address, _):
        bounded = Small(own, address, small.sessions, small.clients)
        tus = bounded.tus(captain)
        upload = tus.upload(slug, archive)
        _check(bounded)
        shown = tus.http.get(f"/uploads/{upload['id']}").json()
    assert (shown["status"], shown["code"]) == ("rejected", "team_storage_full")
    assert "60.0 MiB" in shown["message"]
    (image,) = other.http.get(f"/teams/{theirs['team_id']}/images").json()
    for digest in (image["digest"], *image["facts"]["layers"]):
        assert own.blobs.path(digest).is_file()


def test_announcements_of_others_do_not_use_up_what_all_teams_may_store(
    small: Small, captain: Person, stranger: Person, slug: str
) -> None:
    with unit_of_work(small.sessions) as session:
        before = total(session)
    own = small.settings.model_copy(update={"total_storage": before + 100 * MIB})
    with serving(own) as (address, _):
        bounded = Small(own, address, small.sessions, small.clients)
        for _ in range(4):
            assert bounded.tus(captain).create(slug, b"", length=90 * MIB).status_code == 201
        assert bounded.tus(stranger).upload(slug, b"few bytes")["status"] == "checking"
        told = refused(bounded.tus(stranger).create(slug, b"", length=101 * MIB), "total_storage_full")
        assert "organizers allow" in told
