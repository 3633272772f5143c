"""Wake-ups over HTTP: when a held question is answered, and that nothing is lost between two of them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from server.app import create_app
from server.front.lanes import Lane
from server.front.table import LANES
from server.settings import Settings
from tests.abuse.wire import Wire
from tests.server.conftest import serving
from tests.server.lab import Entrant, Lab

LONG = 50.0
"""Seconds that a question may be held in these tests: what is answered sooner was told."""


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def ask(http: httpx.Client, mark: str | None = None, seconds: float = LONG) -> str:
    asked = {"seconds": str(seconds)} | ({} if mark is None else {"mark": mark})
    answer = http.get("/worker/wake-ups", params=asked, timeout=LONG + 20)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["mark"])


def rung(mark: str) -> int:
    return int(mark.rpartition("-")[2])


def reach(lane: Lane, count: int) -> None:
    deadline = time.monotonic() + 20
    while lane.running != count:
        assert time.monotonic() < deadline, lane.running
        time.sleep(0.01)


def test_a_held_question_is_answered_once_cases_wait(
    lab: Lab, team: Entrant, beside: ThreadPoolExecutor
) -> None:
    worker = lab.worker()
    began = time.monotonic()
    mark = ask(worker.http)
    held = [beside.submit(ask, worker.http, mark) for _ in range(3)]
    team.submit()
    told = {one.result() for one in held}
    assert time.monotonic() - began < LONG, "they were told, and did not wait until the end"
    assert all(rung(one) > rung(mark) for one in told)
    assert worker.lease() is not None


def test_what_came_between_two_questions_is_told_at_once(lab: Lab, team: Entrant) -> None:
    worker = lab.worker()
    mark = ask(worker.http)
    team.submit()
    began = time.monotonic()
    assert ask(worker.http, mark) != mark
    assert ask(worker.http, "of-another-server-7") != mark
    assert time.monotonic() - began < LONG


def test_only_what_makes_cases_wait_wakes_anybody(lab: Lab, team: Entrant) -> None:
    worker = lab.worker()
    mark = before = ask(worker.http)
    team.submit()
    assert worker.finish(worker.take()).status_code == 204, (
        "valid, so the cases after the first ones may run: they wait"
    )
    case = worker.take()
    worker.heartbeat(case)
    assert worker.finish(case).status_code == 204
    assert worker.release(worker.take()) == 204
    # The database tells in the order of commits: what claims and verdicts had told would be counted by the last one.
    while rung(mark) < rung(before) + 3:
        mark = ask(worker.http, mark)
    assert rung(mark) == rung(before) + 3


def test_who_waits_in_vain_is_answered_with_the_same_mark(lab: Lab) -> None:
    worker = lab.worker()
    mark = ask(worker.http)
    assert ask(worker.http, mark, 0.2) == mark


def test_a_connection_that_is_cut_gives_its_place_back(settings: Settings, lab: Lab) -> None:
    app, worker = create_app(settings), lab.worker()
    lane: Lane = app.state.front.lanes["wake-ups"]
    with serving(app) as url:
        token = worker.http.headers["Authorization"]
        with httpx.Client(base_url=f"{url}/api/v1", headers=worker.http.headers) as http:
            mark = ask(http)
        with Wire(url) as wire:
            wire.ask(f"GET /api/v1/worker/wake-ups?mark={mark}", f"Authorization: {token}")
            reach(lane, 1)
        reach(lane, 0)


def test_a_server_that_stops_does_not_wait_for_those_who_wait(
    settings: Settings, lab: Lab, beside: ThreadPoolExecutor
) -> None:
    app, worker = create_app(settings), lab.worker()
    with serving(app) as url, httpx.Client(base_url=f"{url}/api/v1", headers=worker.http.headers) as http:
        held = beside.submit(ask, http, ask(http))
        reach(app.state.front.lanes["wake-ups"], 1)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    assert isinstance(held.exception(), httpx.TransportError), "and asks the next one"


def test_only_run_workers_may_wait(team: Entrant) -> None:
    assert team.http.get("/worker/wake-ups", params={"seconds": 0}).status_code == 401


@pytest.mark.parametrize("asked", [{"seconds": "61"}, {"seconds": "nan"}, {"mark": "m" * 101}])
def test_a_question_is_bounded(lab: Lab, asked: dict[str, str]) -> None:
    assert lab.worker().http.get("/worker/wake-ups", params=asked).status_code == 422


def test_of_one_token_only_so_many_questions_are_held() -> None:
    terms = next(lane for lane in LANES if lane.name == "wake-ups")
    assert terms.each is not None
    assert terms.each < terms.permits, "one host cannot take every place"
