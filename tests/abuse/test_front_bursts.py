"""Hundreds of requests at the same moment, with and without a token, and clients that leave before their answer."""

import asyncio
import json
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest

from benchmarks.support.crowd import Ask, Timings, at_once
from server.accounts.tokens import create_worker_token
from server.database import SessionFactory, unit_of_work
from tests.abuse.conftest import Front
from tests.abuse.wire import Wire
from tests.server.conftest import Person

JSON = {"Content-Type": "application/json"}
LEASE = json.dumps({"name": "s", "cpus": 0.01, "memory": 1}).encode()
BEAT = json.dumps({"leases": [{"case_run": str(uuid4()), "claim_no": 1}]}).encode()


def _log_in() -> Ask:
    credentials = {"email": f"{uuid4().hex}@example.org", "password": "not the password of anybody"}
    return Ask("POST", "/api/v1/sessions", JSON, json.dumps(credentials).encode())


@pytest.mark.parametrize(
    "ask",
    [
        Ask("GET", "/healthz"),
        Ask("GET", "/api/v1/me"),
        # The tests before made many challenges, and each of these reads all of them.
        pytest.param(Ask("GET", "/api/v1/challenges"), marks=pytest.mark.long),
        pytest.param(Ask("GET", "/"), marks=pytest.mark.long),
        Ask("GET", "/assets/000000000000/proctor.css"),
        Ask("GET", "/static/swagger/swagger-ui.css"),
        Ask("POST", "/api/v1/worker/leases", JSON, LEASE),
        Ask("POST", "/api/v1/worker/leases", {**JSON, "Authorization": "Bearer prw_guessed"}, LEASE),
        Ask(
            "PATCH",
            f"/api/v1/uploads/{UUID(int=0)}",
            {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"},
            b"x",
        ),
    ],
    ids=lambda ask: f"{ask.method} {ask.path}",
)
def test_hundreds_at_once_are_all_answered(front: Front, ask: Ask) -> None:
    made = asyncio.run(at_once(front.url, ask, 150))
    assert set(made.counted()) <= {200, 401, 422, 503}, made.counted()
    assert made.counted().get(503, 0) < 150
    assert _quiet(front)


def test_somebody_with_a_token_is_answered_hundreds_of_times_at_once(
    front: Front, person: Callable[..., Person]
) -> None:
    token = {"Authorization": f"Bearer {person().token}"}
    assert asyncio.run(at_once(front.url, Ask("GET", "/api/v1/me", token), 200)).counted() == {200: 200}


def test_one_person_with_hundreds_of_requests_keeps_nobody_waiting(
    front: Front, person: Callable[..., Person]
) -> None:
    greedy, other = (
        Ask("GET", "/api/v1/me", {"Authorization": f"Bearer {person().token}"}) for _ in range(2)
    )

    async def flooded() -> tuple[Timings, Timings, int]:
        for ask in (greedy, other):  # so that both are known
            await at_once(front.url, ask, 1)
        flood = asyncio.create_task(at_once(front.url, greedy, 300))
        while front.lanes["participants"].waiting < 100:
            await asyncio.sleep(0.005)
        made = await at_once(front.url, other, 3)
        waiting = front.lanes["participants"].waiting
        return made, await flood, waiting

    made, flood, waiting = asyncio.run(flooded())
    assert made.counted() == {200: 3}
    assert waiting > 0, "they had their turn before most of the others"
    assert flood.counted() == {200: 300}


def test_a_flood_of_log_ins_leaves_everything_else_quick(
    front: Front, person: Callable[..., Person], sessions: SessionFactory
) -> None:
    token = {"Authorization": f"Bearer {person().token}"}
    with unit_of_work(sessions) as session:
        worker = {**JSON, "Authorization": f"Bearer {create_worker_token(session, uuid4().hex)}"}
    others = [
        Ask("GET", "/api/v1/me", token),
        Ask("GET", "/api/v1/challenges"),
        Ask("GET", "/healthz"),
        Ask("POST", "/api/v1/worker/heartbeat", worker, BEAT),
    ]

    async def flooded() -> tuple[list[Timings], bool, Timings]:
        flood = asyncio.gather(*[at_once(front.url, _log_in(), 1) for _ in range(100)])
        while front.lanes["passwords"].waiting < 50:
            await asyncio.sleep(0.01)
        made = [await at_once(front.url, ask, 1) for ask in others]
        waited = front.lanes["passwords"].waiting > 0
        return made, waited, _joined(await flood)

    made, waited, log_ins = asyncio.run(flooded())
    assert [one.statuses for one in made] == [[200]] * 4
    assert waited, "the others were answered while log-ins still waited"
    assert set(log_ins.counted()) <= {401, 429, 503}, log_ins.counted()


def test_a_worker_is_heard_while_somebody_without_its_token_floods_its_api(
    front: Front, sessions: SessionFactory
) -> None:
    with unit_of_work(sessions) as session:
        worker = {**JSON, "Authorization": f"Bearer {create_worker_token(session, uuid4().hex)}"}
    beat = Ask("POST", "/api/v1/worker/heartbeat", worker, BEAT)

    async def flooded() -> tuple[list[int], bool]:
        await asyncio.sleep(1.1)  # so that the token just made counts as a worker's
        flood = [
            asyncio.create_task(
                at_once(front.url, Ask("POST", "/api/v1/worker/leases", {**JSON, **one}, LEASE), 100)
            )
            for one in ({}, {"Authorization": f"Bearer prw_{uuid4().hex}"})
        ]
        while front.lanes["strangers"].waiting < 20:
            await asyncio.sleep(0.005)
        before = front.lanes["workers"].admitted
        made = await at_once(front.url, beat, 1)
        await asyncio.gather(*flood)
        return made.statuses, front.lanes["workers"].admitted == before + 1

    statuses, alone = asyncio.run(flooded())
    assert statuses == [200]
    assert alone, "the flood was in another lane"


def test_a_full_lane_refuses_with_a_problem_that_says_when_to_come_again(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = front.lanes["boards"]
    monkeypatch.setattr(lane, "terms", lane.terms.__class__("boards", permits=0, waiting=1, patience=0.2))
    answers = [
        httpx.get(f"{front.url}/api/v1/challenges"),
        httpx.get(f"{front.url}/", headers={"Accept": "text/html"}),
    ]
    assert [one.status_code for one in answers] == [503, 503]
    assert answers[0].headers["Content-Type"] == "application/problem+json"
    assert answers[0].json()["code"] == "busy"
    assert all(int(one.headers["Retry-After"]) in range(2, 9) for one in answers)
    assert "<html" in answers[1].text
    assert lane.waiting == 0


def test_requests_of_clients_that_left_are_not_run(front: Front) -> None:
    lane = front.lanes["boards"]
    held = lane.terms
    lane.terms = held.__class__("boards", permits=0, waiting=1000, patience=60)
    try:
        before = lane.admitted
        wires = [Wire(front.url) for _ in range(300)]
        for wire in wires:
            wire.ask("GET /api/v1/challenges")
        _until(lambda: lane.waiting == 300)
        for wire in wires:
            wire.socket.close()
        _until(lambda: lane.waiting == 0)
    finally:
        lane.terms = held
    assert httpx.get(f"{front.url}/api/v1/challenges").status_code == 200
    assert lane.admitted == before + 1


def _joined(made: list[Timings]) -> Timings:
    return Timings([status for one in made for status in one.statuses])


def _quiet(front: Front) -> bool:
    """Whether nothing runs or waits any more, after a moment."""
    _until(lambda: all(lane.running == lane.waiting == 0 for lane in front.lanes.values()))
    return True


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.02)
