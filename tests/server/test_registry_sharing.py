"""What a push shares with images of its team is not fetched again, and nothing of another team's is given."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update

from contract.statuses import UploadStatus
from server.accounts.models import TokenKind
from server.accounts.tokens import issue
from server.blobs import FileStore
from server.database import SessionFactory, unit_of_work
from server.images.models import Image
from server.settings import Settings
from server.uploads.models import Upload
from tests.sandbox.archives import digest, legacy, pack, tar
from tests.server.conftest import Person
from tests.server.registries import Hub, hub
from worker.score.images import check_waiting
from worker.score.pushes import take_pushed

BASE = tar(("base/weights", random.Random(26).randbytes(4 * 2**20)))  # noqa: S311


class Wire:
    """Connections to a port, handed on to another one; `count` is what came back."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                here, _ = self._listening.accept()
                threading.Thread(target=self._hand_on, args=(here,), daemon=True).start()

    def _hand_on(self, here: socket.socket) -> None:
        with here, socket.create_connection(("127.0.0.1", self._to)) as there:
            back = threading.Thread(target=self._count, args=(there, here))
            back.start()
            while data := here.recv(2**16):
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
            back.join()

    def _count(self, there: socket.socket, here: socket.socket) -> None:
        with suppress(OSError):  # whoever asked has gone
            while data := there.recv(2**16):
                self.count += len(data)
                here.sendall(data)


@dataclass
class Bench:
    """Pushes images of a person's team, and says what came of it and how many bytes were fetched for it."""

    registry: Hub
    settings: Settings
    wire: Wire
    sessions: SessionFactory
    folder: Path

    def __call__(self, person: Person, team_id: str, *layers: bytes) -> tuple[dict[str, Any], int]:
        path = self.folder / "image.tar"
        path.write_bytes(pack(legacy(*layers)))
        scopes = ("read", "submit")
        with unit_of_work(self.sessions) as session:
            token = issue(session, TokenKind.API, name="push", user_id=UUID(person.id), scopes=scopes)[0]  # type: ignore[arg-type]
        before = len(self._uploads(person, team_id))
        pushed = self.registry.skopeo(path, f"{team_id}/model:v{before}", token)
        assert pushed.returncode == 0, pushed.stderr
        deadline = time.monotonic() + 20
        while len(self._uploads(person, team_id)) == before:
            assert time.monotonic() < deadline, "the registry told of no push"
            time.sleep(0.05)
        count = self.wire.count
        take_pushed(self.sessions, self.settings)
        check_waiting(self.sessions, self.settings)
        return self._uploads(person, team_id)[0], self.wire.count - count

    def _uploads(self, person: Person, team_id: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = person.http.get(f"/teams/{team_id}/uploads").json()
        return listed


@pytest.fixture(scope="module")
def registry(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub(settings, tmp_path_factory.mktemp("registry")) as served:
        yield served


@pytest.fixture
def bench(registry: Hub, sessions: SessionFactory, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """A bench of a score worker with other settings."""
    with unit_of_work(sessions) as session:
        open_ = Upload.status.in_((UploadStatus.RECEIVING, UploadStatus.CHECKING))
        session.execute(update(Upload).where(open_).values(status=UploadStatus.REJECTED))
    wire = Wire(int(registry.host.rpartition(":")[2]))

    def make(**changes: Any) -> Bench:
        told = {"registry_inside": wire.url, "data": tmp_path / "data"} | changes
        return Bench(registry, registry.settings.model_copy(update=told), wire, sessions, tmp_path)

    yield make
    wire.close()


def ready(shown: dict[str, Any]) -> bool:
    return (shown["status"], shown["message"]) == ("ready", None)


def test_of_a_second_image_only_what_is_new_is_fetched(
    bench: Callable[..., Bench], captain: Person, team_id: str
) -> None:
    push, tops = bench(), [tar(("app/which", name)) for name in (b"one", b"two")]
    shown, fetched = push(captain, team_id, BASE, tops[0])
    assert ready(shown)
    assert fetched > len(BASE) * 0.99
    shown, fetched = push(captain, team_id, BASE, tops[1])
    assert ready(shown)
    assert fetched < 20_000
    second = captain.http.get(f"/teams/{team_id}/images").json()[0]
    assert second["digest"] == shown["image"]
    assert second["facts"]["layers"] == [digest(BASE), digest(tops[1])]


def test_what_another_team_has_is_fetched_for_who_pushes_it(
    bench: Callable[..., Bench], captain: Person, team_id: str, stranger: Person, slug: str
) -> None:
    push = bench()
    theirs = str(stranger.http.get(f"/challenges/{slug}/teams/mine").json()["id"])
    assert ready(push(stranger, theirs, BASE, tar(("app/theirs", b"")))[0])
    shown, fetched = push(captain, team_id, BASE, tar(("app/ours", b"")))
    assert ready(shown)
    assert fetched > len(BASE) * 0.99


@pytest.mark.parametrize("gone", ["removed by its team", "lost by the store"])
def test_what_is_not_here_any_more_is_fetched_again(
    gone: str, bench: Callable[..., Bench], captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    push = bench()
    assert ready(push(captain, team_id, BASE, tar(("app/first", b"")))[0])
    if gone == "removed by its team":
        with unit_of_work(sessions) as session:
            mine = update(Image).where(Image.team_id == UUID(team_id))
            session.execute(mine.values(removed_at=func.now()))
    else:
        store = push.settings.blobs
        assert isinstance(store, FileStore)
        store.path(digest(BASE)).unlink()
    shown, fetched = push(captain, team_id, BASE, tar(("app/second", b"")))
    assert ready(shown)
    assert fetched > len(BASE) * 0.99
    assert push.settings.blobs.has(digest(BASE))


def test_where_unpacked_layers_are_more_than_an_archive_may_have_all_is_fetched(
    bench: Callable[..., Bench], captain: Person, team_id: str
) -> None:
    packs = tar(("base/text", random.Random(1).randbytes(16 * 1024) * 40))  # noqa: S311
    push = bench(upload_limit=300_000)
    assert ready(push(captain, team_id, packs, tar(("app/first", b"")))[0])
    shown, fetched = push(captain, team_id, packs, tar(("app/second", b"")))
    assert ready(shown)
    assert fetched > 16 * 1024
