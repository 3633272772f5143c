"""The platform's own clients before a server that is busy: they wait, and come again."""

import http.server
import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from client.api import Client
from client.app import connect
from client.errors import Problem
from contract.accounts import SessionOut
from contract.leases import Lease
from tests.facts import image_facts
from tests.worker.slots import CHALLENGE, LIMITS
from worker.run.config import RunConfig
from worker.run.heartbeat import LeaseHandle, insist
from worker.run.lease_client import LeaseClient


@dataclass
class Busy:
    """A server that is busy for the next `times` requests, and then answers `answer` to all."""

    url: str = ""
    times: int = 0
    status: int = 503
    code: str = "busy"
    answer: Any = None
    came: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Busy]:
    state = Busy()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.came.append(f"{self.command} {len(body)}")
            refused = state.times > 0
            state.times -= 1
            problem = {"title": "Busy", "detail": "Try again.", "code": state.code, "status": 503}
            content = json.dumps(problem if refused else state.answer).encode()
            self.send_response(state.status if refused else 200)
            if refused and state.status == 503:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        state.url = f"http://127.0.0.1:{running.server_port}"
        yield state
        running.shutdown()
        thread.join()


@pytest.fixture
def worker(server: Busy, tmp_path: Path) -> Iterator[LeaseClient]:
    config = RunConfig(server_url=server.url, worker_token=SecretStr("prw_x"), worker_dir=tmp_path)
    client = LeaseClient(config, "run-1")
    yield client
    client.close()


def _lease() -> Lease:
    return Lease(
        case_run=uuid.uuid4(),
        claim_no=1,
        lease_seconds=30,
        evaluation=uuid.uuid4(),
        task_name="task5",
        track="methods",
        task=CHALLENGE.tasks["task5"],
        limits=LIMITS,
        pseudonym="case",
        inputs={},
        image=image_facts(),
    )


def test_a_heartbeat_passes_a_server_that_is_busy_twice(server: Busy, worker: LeaseClient) -> None:
    server.times, server.answer = 2, {"lost": []}
    assert worker.heartbeat([_lease()]) == set()
    assert len(server.came) == 3
    assert len(set(server.came)) == 1, "the body was sent whole each time"


def test_outputs_and_verdicts_are_sent_again(server: Busy, worker: LeaseClient) -> None:
    server.times, server.answer = 1, {"digest": "sha256:0"}
    assert worker.put_output(_lease(), b"0.5\n") == "sha256:0"
    assert server.came == ["PUT 4", "PUT 4"]


def test_a_verdict_that_came_too_slowly_is_sent_again(server: Busy, worker: LeaseClient) -> None:
    server.times, server.status = 1, 408
    lease = _lease()
    insist(LeaseHandle(lease), lambda: worker.release(lease, None))
    assert len(server.came) == 2


def test_a_verdict_outlasts_a_server_that_is_busy_for_longer_than_a_lease(
    server: Busy, worker: LeaseClient
) -> None:
    server.times = 6
    lease = _lease().model_copy(update={"lease_seconds": 0.1})
    insist(LeaseHandle(lease), lambda: worker.release(lease, None))
    assert len(server.came) == 7


def test_a_worker_does_not_wait_for_ever(server: Busy, worker: LeaseClient) -> None:
    server.times = 100
    with pytest.raises(httpx.HTTPStatusError):
        worker.release(_lease(), None)
    assert len(server.came) == 4


def test_a_participant_waits_as_long_as_the_server_asks_and_is_told(
    server: Busy, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = SessionOut(token="prs_x", expires_at=datetime.now(UTC), device=None)
    server.times, server.answer = 2, opened.model_dump(mode="json")
    with connect(server.url) as client:
        assert client.log_in("ada@example.org", "a password") == "prs_x"
    assert len(server.came) == 3
    assert capsys.readouterr().err.count("The server is busy; asking again in 1 s.") == 2


def test_what_the_server_may_have_done_is_not_asked_for_again(server: Busy) -> None:
    server.times, server.code, server.answer = 1, "database_away", []
    told: list[float] = []
    with Client(server.url, waiting=told.append) as client:
        with pytest.raises(Problem) as refused:
            client.log_in("ada@example.org", "a password")
        assert refused.value.code == "database_away"
        server.times = 1
        assert client.challenges() == []
    assert told == [1.0]
    assert [one.partition(" ")[0] for one in server.came] == ["POST", "GET", "GET"]
