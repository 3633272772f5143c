"""Bodies without end, without a token, without haste, and JSON that nests a hundred thousand deep."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from server.accounts.tokens import create_worker_token
from server.database import SessionFactory, unit_of_work
from server.errors import BadRequest
from server.front import body
from server.front.middleware import LINGER_BYTES
from tests.abuse.conftest import Front
from tests.abuse.wire import Wire, chunked
from tests.server.conftest import Clients, Person, Tus

CHUNKS = ("Content-Type: application/json", "Transfer-Encoding: chunked")
MIB = 2**20


@pytest.mark.parametrize(
    "line",
    [
        "PUT /api/v1/worker/slots/output",
        "POST /api/v1/sessions",
        "POST /api/v1/tokens",
        "PUT /output",
        "POST /api/v1/worker/leases/1/finish?claim_no=1",
        "POST /api/v1/admin/challenges",
        "GET /healthz",
        "PUT /api/v1/worker/leases/0192c0de-0000-7000-8000-000000000000/output?claim_no=1",
    ],
)
def test_a_body_without_end_is_refused_and_not_kept(front: Front, line: str) -> None:
    with Wire(front.url) as wire:
        wire.ask(line, *CHUNKS)
        went = wire.flood(chunked(b" " * MIB), 400 * MIB)
        answer = wire.answer()
    # What is not read lies in the kernel's buffers on both sides, some megabytes.
    assert went < 3 * LINGER_BYTES + 32 * MIB, f"{went / MIB:.0f} MiB were taken"
    assert not answer or answer.split()[1] in (b"413", b"401"), answer[:200]


@pytest.mark.parametrize("path", ["/sessions", "/tokens", "/worker/slots/output"])
def test_a_body_that_is_announced_too_large_is_refused_before_a_byte_of_it(front: Front, path: str) -> None:
    method = "PUT" if path.endswith("output") else "POST"
    with Wire(front.url) as wire:
        wire.ask(f"{method} /api/v1{path}", "Content-Type: application/json", f"Content-Length: {20 * 2**30}")
        answer = wire.answer()
    assert b" 413 " in answer[:20]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "body_too_large"


def test_people_may_send_64_kib(person: Callable[..., Person]) -> None:
    sender = person().http
    answer = sender.post("/tokens", content=b" " * 64 * 1024, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    answer = sender.post(
        "/tokens", content=b" " * (64 * 1024 + 1), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.json()["limit"] == 64 * 1024


def test_a_large_verdict_is_for_workers_alone(sessions: SessionFactory, clients: Clients) -> None:
    with unit_of_work(sessions) as session:
        worker = create_worker_token(session, uuid4().hex)
    time.sleep(1.1)  # a token made within the last second may not count as a worker's yet
    path = f"/worker/leases/{uuid4()}/finish?claim_no=1"
    verdict = {"fault": "exit_code", "message": "", "seconds": 1, "log": "\0" * 900_000}
    answers = [clients(token).post(path, json=verdict) for token in (worker, f"prw_{uuid4().hex}", None)]
    assert [one.status_code for one in answers] == [409, 413, 413]


def test_a_body_that_trickles_holds_no_permit_and_is_given_up(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "_FIRST_SECONDS", 0.3)
    wires = [Wire(front.url) for _ in range(50)]
    for wire in wires:
        wire.ask("POST /api/v1/sessions", "Content-Type: application/json", "Content-Length: 100")
        wire.send(b"{")
    assert httpx.get(f"{front.url}/api/v1/challenges").status_code == 200
    assert front.lanes["passwords"].running == 0
    assert [wire.status() for wire in wires] == [408] * 50
    for wire in wires:
        wire.socket.close()


def test_a_stream_has_to_keep_up_a_rate(
    front: Front, tus: Tus, slug: str, captain: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "_WINDOW", 0.5)
    location = tus.begin(slug, b"x" * 1000)
    with Wire(front.url) as wire:
        wire.ask(
            f"PATCH {urlsplit(location).path}",
            f"Authorization: Bearer {captain.token}",
            "Content-Type: application/offset+octet-stream",
            "Upload-Offset: 0",
            "Content-Length: 1000",
            "Connection: close",
        )
        for _ in range(4):  # each well within any bound on silence
            wire.send(b"x")
            time.sleep(0.15)
        answer = wire.answer()
    assert b" 408 " in answer[:20]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "stream_too_slow"
    assert tus.offset(location) == 4


@pytest.mark.parametrize("sign", ["[]", "{}"])
def test_json_that_nests_too_deeply_is_refused_before_it_is_parsed(front: Front, sign: str) -> None:
    opening = sign[0] if sign == "[]" else '{"a":'
    for depth, expected in ((body.DEEPEST, 422), (body.DEEPEST + 1, 400), (10_000, 400)):
        content = opening * depth + "1" + sign[1] * depth
        answer = httpx.post(
            f"{front.url}/api/v1/sessions", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == expected, depth
    assert answer.json()["code"] == "nested_too_deeply"


def test_brackets_in_texts_and_beside_each_other_are_no_depth() -> None:
    body.require_shallow(json.dumps({"a": "[" * 1000 + '\\"' + "{" * 1000, "b": [[]] * 1000}).encode())
    body.require_shallow(json.dumps([[{"a": [1, 2, "\\"]}] * 50] * 20).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"[" * 51 + b"]" * 51,
        (b"[" * 51 + b"]" * 51) * 500,
        b'["",' * 15_000,
    ],
    ids=lambda content: str(content[:6]),
)
def test_what_nests_too_deeply_is_found_whole_or_not(content: bytes) -> None:
    with pytest.raises(BadRequest):
        body.require_shallow(content)


@pytest.mark.parametrize(
    "content",
    [b'"' + b'\\"' * 2**22, b'"' * 2**22, b"\\" * 2**22 + b"[" * 51, b'["\\' * 2**20, b"[]" * 2**21],
    ids=range(5),
)
def test_looking_for_depth_takes_no_quadratic_time(content: bytes) -> None:
    """Four mebibytes in less than the test's ten minutes; a quadratic search would take days."""
    with suppress(BadRequest):
        body.require_shallow(content + b"[" * 51)
