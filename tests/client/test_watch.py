"""What `watch` says of a server that is newer than itself, and what it shows beside the verdicts."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from client import events, newer, pace
from tests.client.conftest import Cli

FIRST: dict[str, Any] = json.loads((Path(__file__).parent / "first_answers.json").read_text())
ID = "0a1b2c"


def submission(*statuses: str) -> dict[str, Any]:
    evaluations = [
        FIRST["EvaluationOut"] | {"id": f"e{number}", "task": f"task{number}", "status": status}
        for number, status in enumerate(statuses, 1)
    ]
    return FIRST["SubmissionOut"] | {"id": ID, "evaluations": evaluations}


@contextmanager
def server(states: Sequence[Sequence[str]], cases: Sequence[dict[str, Any]] = ()) -> Iterator[str]:
    """A server that says one state of a submission after the other, and the last one for good."""
    left = list(states)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer: Any = cases
            if "/submissions/" in self.path:
                answer = submission(*(left.pop(0) if len(left) > 1 else left[0]))
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.fixture
def watch(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("PROCTOR_TOKEN", "t")
    monkeypatch.setattr(newer, "MINUTES", 0.005)

    def run(url: str, *arguments: str) -> Any:
        monkeypatch.setenv("PROCTOR_URL", url)
        return cli("watch", ID, "--interval", "0.1", *arguments)

    return run


def test_a_status_of_a_newer_server_is_waited_for_a_while_and_no_longer(watch: Cli) -> None:
    with server([("scored", "withdrawn")]) as url:
        done = watch(url)
        as_json = watch(url, "--json")
    assert done.exit_code == as_json.exit_code == 7
    said = done.stderr
    assert "task2 is 'withdrawn': a status that this version does not know." in said
    assert (
        said.count("It may be an end, so it is waited for 0.005 minutes at most. Update the client with pip.")
        == 1
    )
    assert "It is not waited for any longer." in said
    assert f"Update the client with pip, then: proctor watch {ID}" in said
    assert [one["status"] for one in json.loads(as_json.stdout)["evaluations"]] == ["scored", "withdrawn"]


def test_a_status_that_passes_is_waited_for(watch: Cli) -> None:
    with server([("withdrawn",), ("running",), ("held_back",), ("scored",)]) as url:
        done = watch(url)
    assert done.exit_code == 0, done.output
    assert "'withdrawn'" in done.stderr
    assert "'held_back'" in done.stderr
    assert "task1 WITHDRAWN 100 %" in done.stderr
    assert "SCORED" in done.stdout


def test_what_still_runs_is_waited_for_beside_an_unknown_status(watch: Cli) -> None:
    with server([("withdrawn", "running")] * 9 + [("withdrawn", "scored")]) as url:
        done = watch(url)
    assert done.exit_code == 7
    assert done.stderr.count("task2 RUNNING 100 %") == 1, "for longer than an unknown status alone"
    assert done.stderr.count("It may be an end") == 1


def test_warnings_of_cases_are_shown_each_once(watch: Cli) -> None:
    rounded = "A probability was a rounding error above 1."
    cases = [FIRST["CaseOut"] | {"id": f"c{n}", "case": f"case-{n}", "warnings": [rounded]} for n in (1, 2)]
    failed = FIRST["CaseOut"] | {"id": "c3", "case": "case-3", "verdict": "timeout", "message": "Too slow."}
    with server([("scored",)], [*cases, failed | {"log": "step 1"}]) as url:
        done = watch(url)
    assert f"task1, 2 cases such as case-1: {rounded}" in done.stdout
    assert "task1 case-3: timeout. Too slow." in done.stdout
    assert "step 1" in done.stdout


def event(status: str, number: int) -> bytes:
    return f"id: s{number}\nevent: state\ndata: {json.dumps(submission(status))}\n\n".encode()


@contextmanager
def streaming(
    streams: Sequence[Sequence[bytes] | int], later: str = "scored"
) -> Iterator[tuple[str, list[Any]]]:
    """A server that streams one sequence after the other, or refuses with a status; and what it was asked.

    An empty piece of a stream keeps silent for a second. Whoever asks without a stream hears `later`.
    """
    left, asked = list(streams), list[Any]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.endswith("/events"):
                asked.append("look")
                if "/cases" in self.path:
                    self.answer(200, b"[]")
                    return
                first = len(asked) == 1
                self.answer(200, json.dumps(submission("queued" if first else later)).encode())
                return
            asked.append(self.headers["Last-Event-ID"])
            now = left.pop(0)
            if isinstance(now, int):
                self.answer(now, b'{"title": "No", "code": "not_found"}')
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for piece in now:
                self.wfile.write(piece or b"")
                self.wfile.flush()
                if not piece:
                    threading.Event().wait(1)

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}", asked
    finally:
        listening.shutdown()
        listening.server_close()


@pytest.fixture
def told(watch: Cli, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setattr(events, "_SILENCE", 0.4)
    monkeypatch.setattr(pace, "_FIRST", 0.05)

    def run(url: str, *arguments: str) -> Any:
        monkeypatch.setenv("PROCTOR_URL", url)
        return cli("watch", ID, *arguments)

    return run


def test_each_state_that_is_sent_is_a_line_and_nothing_is_asked_for(told: Cli) -> None:
    sent = [b"retry: 3000\n\n", event("queued", 1), b": still here\n\n", event("running", 2)]
    with streaming([[*sent, event("running", 2), event("scored", 3)]]) as (url, asked):
        done = told(url)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("QUEUED") == done.stderr.count("RUNNING") == 1
    assert "SCORED" in done.stdout
    assert asked[:2] == ["look", None]
    assert asked[2:] == ["look"], "its cases"


def test_a_stream_that_was_cut_goes_on_after_the_last_state(told: Cli) -> None:
    streams = [[event("queued", 1)], [event("running", 2)], [event("scored", 3)]]
    with streaming(streams, later="running") as (url, asked):
        done = told(url)
    assert done.exit_code == 0, done.output
    assert [one for one in asked if one != "look"] == [None, "s1", "s2"]


@pytest.mark.parametrize(
    "instead",
    [404, 429, 503, [event("queued", 1), b""], [b""]],
    ids=["older", "too many", "busy", "silent", "held back"],
)
def test_where_nothing_is_sent_it_is_asked_for(told: Cli, instead: Sequence[bytes] | int) -> None:
    with streaming([instead]) as (url, asked):
        done = told(url)
    assert done.exit_code == 0, done.output
    assert asked.count(None) == 1, "a stream is not tried again"


def test_a_stream_ends_with_the_time_that_was_given(told: Cli) -> None:
    with streaming([[event("queued", 1), b"", b"", b""]]) as (url, _):
        done = told(url, "--timeout", "0.2")
    assert done.exit_code == 7, done.output
