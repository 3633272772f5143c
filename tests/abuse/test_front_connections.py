"""Connections that say little, too much or nothing, and readers that do not read."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from server.front import protocol
from server.front.protocol import HEADER_BYTES, Protocol
from tests.abuse.conftest import Front
from tests.abuse.wire import Wire, chunked
from tests.server.conftest import Person

MIB = 2**20


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers have to come within half a second."""
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.5)


@pytest.mark.parametrize(
    "said", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"\r\n", b"GET /heal"], ids=range(4)
)
@pytest.mark.usefixtures("hurried")
def test_headers_that_do_not_come_end_the_connection(front: Front, said: bytes) -> None:
    with Wire(front.url) as wire:
        if said:
            wire.send(said)
        assert wire.status() == 408


@pytest.mark.usefixtures("hurried")
def test_headers_that_trickle_end_the_connection(front: Front) -> None:
    with Wire(front.url) as wire:
        wire.send(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        for _ in range(20):
            try:
                wire.send(b"a")
            except OSError:
                break
            time.sleep(0.1)
        else:
            pytest.fail("two seconds of headers were taken")


@pytest.mark.usefixtures("hurried")
def test_a_further_request_has_the_same_time_and_an_idle_connection_stays(front: Front) -> None:
    with Wire(front.url) as wire:
        _whole_answer(wire)
        time.sleep(0.8)  # idle, longer than headers may take
        _whole_answer(wire)
        wire.send(b"\r\n")  # what is no request yet keeps no connection
        assert wire.closed_within(10)


@pytest.mark.usefixtures("hurried")
def test_a_connection_whose_body_came_after_the_answer_stays(front: Front) -> None:
    with Wire(front.url) as wire:
        wire.ask(
            "PATCH /api/v1/uploads/1", "Content-Length: 3", "Content-Type: application/offset+octet-stream"
        )
        time.sleep(0.2)
        wire.send(b"abc")
        wire.socket.recv(1 << 16)
        time.sleep(0.8)
        _whole_answer(wire)


@pytest.mark.usefixtures("hurried")
def test_a_body_that_never_comes_after_its_request_was_answered_ends_the_connection(front: Front) -> None:
    with Wire(front.url) as wire:
        wire.ask("PATCH /api/v1/uploads/1", "Content-Length: 300")
        assert wire.socket.recv(1 << 16).split()[1] in (b"401", b"415", b"422")
        wire.send(b"a")
        assert wire.closed_within(10)


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"GET /healthz HTTP/1.1\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
        (b"GET /healthz HTTP/1.1\r\nX-Long: ", b"a" * 1000),
        (b"GET /", b"a" * 1000),
        (
            b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X-Trailer: " + b"a" * 1000 + b"\r\n",
        ),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ", b"a" * 1000),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a=a;" * 250),
    ],
    ids=["many", "long", "path", "trailers", "long trailer", "extensions"],
)
def test_headers_without_end_end_the_connection(front: Front, beginning: bytes, piece: bytes) -> None:
    with Wire(front.url) as wire:
        wire.send(beginning)
        went = wire.flood(piece, 64 * MIB)
        assert went < 32 * MIB, "only the kernel's buffers hold what the server did not take"
        assert b" 431 " in wire.answer()[:20] or wire.closed_within(10)


def test_headers_of_more_than_64_kib_at_once_are_too_large(front: Front) -> None:
    with Wire(front.url) as wire:
        wire.ask("GET /healthz", "X-Long: " + "a" * HEADER_BYTES)
        assert wire.status() in (431, 0)


def test_more_headers_than_anybody_needs_are_refused(front: Front) -> None:
    with Wire(front.url) as wire:
        wire.ask("GET /healthz", *[f"X-{number}: a" for number in range(protocol.HEADERS)])
        answer = wire.answer()
    assert b" 431 " in answer[:20]
    assert b"problem+json" in answer


def test_requests_that_are_sent_ahead_are_not_kept_by_the_thousand(front: Front) -> None:
    with Wire(front.url) as wire:
        wire.send(b"GET /healthz HTTP/1.1\r\n\r\n" * (protocol.PIPELINED + 1))
        got = b""
        while got.count(b"200 OK") < protocol.PIPELINED + 1:
            got += wire.socket.recv(1 << 16)
    with Wire(front.url) as wire:
        wire.send(b"GET /healthz HTTP/1.1\r\n\r\n" * 5000)
        assert wire.answer().count(b"200 OK") <= protocol.PIPELINED + 1


def test_trailers_are_nobodys_headers(front: Front, captain: Person) -> None:
    trailer = f"Authorization: Bearer {captain.token}\r\n\r\n"
    with Wire(front.url) as wire:
        wire.ask("GET /api/v1/me", "Transfer-Encoding: chunked", "Connection: close")
        wire.send(b"0\r\n" + trailer.encode())
        assert wire.status() == 401


def test_what_strangers_send_writes_no_log(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    for said in (b"nonsense\r\n\r\n", b"GET /healthz HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"):
        with Wire(front.url) as wire:
            wire.send(said)
            wire.socket.recv(1 << 16)
    assert not caplog.records


def test_a_client_that_does_not_read_is_cut_off(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.5)
    with Wire(front.url, window=4096) as wire:
        with suppress(ConnectionError):  # cut off before all is asked
            for _ in range(20):  # an answer of a megabyte, again and again
                wire.ask("GET /static/swagger/swagger-ui-bundle.js")
        _until(lambda: not _open(wire))


def test_a_client_that_reads_slowly_gets_everything(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.5)
    path = "/static/swagger/swagger-ui-bundle.js"
    whole = httpx.get(f"{front.url}{path}").content
    got = bytearray()
    with Wire(front.url, window=65536) as wire:
        wire.ask(f"GET {path}", "Connection: close")
        while data := wire.socket.recv(1 << 16):
            got += data
            time.sleep(0.02)
    assert got.endswith(whole)


def test_the_slowest_reader_goes_where_answers_fill_the_memory(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "UNREAD_BYTES", MIB // 4)
    wires = [Wire(front.url, window=4096) for _ in range(10)]
    for wire in wires:
        for _ in range(8):  # more than the kernel keeps for one connection
            wire.ask("GET /static/swagger/swagger-ui-bundle.js")
    _until(lambda: not all(_open(wire) for wire in wires))
    for wire in wires:
        wire.socket.close()


def test_connections_are_bounded_and_one_address_has_half_of_them(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    already = sum(Protocol.addresses.values())
    monkeypatch.setattr(Protocol, "_most", 2 * (already + 20))
    wires = [Wire(front.url) for _ in range(30)]
    with Wire(front.url) as one_more:
        answer = one_more.answer()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in answer
    for wire in wires:
        wire.socket.close()
    _until(lambda: sum(Protocol.addresses.values()) <= already)
    assert httpx.get(f"{front.url}/healthz").status_code == 200


def test_where_all_connections_are_taken_the_longest_idle_one_goes(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Connections of other tests, which may be closing, neither count nor are at choice.
    monkeypatch.setattr(Protocol, "_all", set())
    monkeypatch.setattr(Protocol, "_idle", {})
    monkeypatch.setattr(Protocol, "_most", 12)
    wires = []
    for number in range(12):  # from several addresses, for none may have more than half
        wires.append(Wire(front.url, source=f"127.0.0.{2 + number // 4}"))
        _whole_answer(wires[-1])
    with Wire(front.url, source="127.0.0.9") as one_more:
        _whole_answer(one_more)
        assert not _open(wires[0])
        assert all(_open(wire) for wire in wires[1:])
    for wire in wires:
        wire.socket.close()


def test_what_is_no_http_is_answered_and_closed(front: Front) -> None:
    with Wire(front.url) as wire:
        wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert wire.status() == 400
    with Wire(front.url) as wire:
        wire.ask("POST /healthz", "Transfer-Encoding: chunked")
        wire.send(b"zz\r\n" + chunked(b"a"))
        assert wire.closed_within(20)


def _whole_answer(wire: Wire) -> None:
    wire.ask("GET /healthz")
    assert wire.socket.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def _open(wire: Wire) -> bool:
    """Whether the connection still stands, as the kernel has it: nothing is read from it."""
    state = wire.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state == 1  # TCP_ESTABLISHED


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.02)
