"""Resumable uploads: a connection that is cut again and again, a second run, and refusals."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from client.api import Client
from client.errors import ArchiveRefused, Local, Problem, Unreachable
from client.state import UploadMemory
from client.uploads import read_archive, upload_archive, wait_for_image
from tests.client.archives import image_archive
from tests.client.conftest import Participant, Server

MIB = 2**20


class CuttingProxy:
    """A TCP proxy before the server that drops a connection once it carried as many bytes as the next of `cuts`."""

    def __init__(self, url: str, cuts: list[int]) -> None:
        self._target = (urlsplit(url).hostname, urlsplit(url).port)
        self.cuts = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            threading.Thread(target=self._carry, args=(far, near, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(near, far, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        carried = 0
        try:
            while data := source.recv(65536):
                target.sendall(data)
                carried += len(data)
                if counted and self.cuts and carried >= self.cuts[0]:
                    self.cuts.pop(0)
                    break
        except OSError:
            pass
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def proxy(server: Server) -> Iterator[Callable[[list[int]], str]]:
    opened: list[CuttingProxy] = []

    def make(cuts: list[int]) -> str:
        opened.append(CuttingProxy(server.url, cuts))
        return opened[-1].url

    yield make
    for one in opened:
        one.close()


def soon(seconds: float) -> None:
    """A pause for tests: long enough for the server to notice that a connection is gone."""
    threading.Event().wait(min(seconds, 0.2))


def test_an_upload_survives_cut_connections(
    proxy: Callable[[list[int]], str], participant: Participant, slug: str, tmp_path: Path
) -> None:
    digest = image_archive(tmp_path / "image.tar", noise=12 * MIB)
    archive = read_archive(tmp_path / "image.tar")
    positions: list[int] = []
    lost: list[int] = []  # how many positions were told when a connection was lost
    cuts = [3 * MIB, 4 * MIB, MIB]

    def pause(seconds: float) -> None:
        lost.append(len(positions))
        soon(seconds)

    with Client(proxy(cuts), participant.token) as client:
        upload = upload_archive(
            client, slug, participant.team, archive, advance=positions.append, pause=pause
        )
        assert wait_for_image(client, upload, pause=soon) == digest
        assert client.upload(upload).offset == archive.size
    assert cuts == []
    assert positions[-1] == archive.size
    assert len(lost) >= 3
    # The server may have more than the last position told: what was being sent when the connection went is not in it.
    resumed = [positions[told] for told in lost]
    assert resumed == sorted(resumed), "after each cut from where the server is, which loses nothing"
    assert resumed[-1] > 0


def test_a_second_run_goes_on_where_the_first_stopped(
    proxy: Callable[[list[int]], str], server: Server, participant: Participant, slug: str, tmp_path: Path
) -> None:
    digest = image_archive(tmp_path / "image.tar", noise=12 * MIB)
    archive = read_archive(tmp_path / "image.tar")
    memory = UploadMemory(tmp_path / "uploads.json")

    def give_up(seconds: float) -> None:
        raise KeyboardInterrupt

    url = proxy([5 * MIB])
    with Client(url, participant.token) as client, pytest.raises(KeyboardInterrupt):
        upload_archive(client, slug, participant.team, archive, memory=memory, pause=give_up)
    soon(1)
    positions: list[int] = []
    with Client(url, participant.token) as client:
        upload = upload_archive(
            client, slug, participant.team, archive, memory=memory, advance=positions.append, pause=soon
        )
        assert wait_for_image(client, upload, pause=soon) == digest
    assert positions[0] > MIB
    assert memory.recall(f"{url} {participant.team} {archive.sha256}") is None


def test_an_upload_that_is_gone_is_begun_anew(
    server: Server, participant: Participant, slug: str, tmp_path: Path
) -> None:
    image_archive(tmp_path / "image.tar")
    archive = read_archive(tmp_path / "image.tar")
    memory = UploadMemory(tmp_path / "uploads.json")
    memory.remember(
        f"{server.url} {participant.team} {archive.sha256}", "/api/v1/uploads/" + participant.team
    )
    with Client(server.url, participant.token) as client:
        upload = upload_archive(client, slug, participant.team, archive, memory=memory)
        assert wait_for_image(client, upload, pause=soon)


def test_a_refused_image_carries_the_checks_code(
    server: Server, participant: Participant, slug: str, tmp_path: Path
) -> None:
    image_archive(tmp_path / "image.tar", architecture="arm64")
    with Client(server.url, participant.token) as client:
        upload = upload_archive(client, slug, participant.team, read_archive(tmp_path / "image.tar"))
        with pytest.raises(ArchiveRefused, match="--platform linux/amd64") as refused:
            wait_for_image(client, upload, pause=soon)
    assert refused.value.code == "wrong_architecture"


def test_refusals_and_silence_end_an_upload(
    server: Server, participant: Participant, slug: str, tmp_path: Path
) -> None:
    image_archive(tmp_path / "image.tar")
    archive = read_archive(tmp_path / "image.tar")
    with Client(server.url, "no token") as client, pytest.raises(Problem) as refused:
        upload_archive(client, slug, participant.team, archive)
    assert refused.value.status == 401
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable):
        upload_archive(client, slug, participant.team, archive, pause=soon)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").touch()
    with pytest.raises(Local, match="is empty"):
        read_archive(tmp_path / "empty.tar")
    with pytest.raises(Local, match="cannot be read"):
        read_archive(tmp_path / "missing.tar")
