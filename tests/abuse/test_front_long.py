"""A thousand requests of each kind at the same moment, before the server as it is started for real."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from benchmarks.support.crowd import Ask, Timings, at_once, every
from benchmarks.support.services import installation, server
from evaluator.spec import load_challenge
from server.accounts.models import Account, TokenKind
from server.accounts.tokens import create_worker_token, issue
from server.challenges.service import apply
from server.database import unit_of_work
from server.tables import open_database
from tests.server.conftest import FOMO26

pytestmark = pytest.mark.long

JSON = {"Content-Type": "application/json"}
COUNT = 1000
AT_MOST = 60.0  # seconds for each, three times what two quiet cores need


@dataclass(frozen=True)
class World:
    """A running server, a participant's headers and a run worker's."""

    url: str
    person: dict[str, str]
    worker: dict[str, str]

    def asks(self) -> dict[str, Ask]:
        credentials = json.dumps({"email": "b@example.org", "password": "not the password"}).encode()
        slot = json.dumps({"name": "s", "cpus": 1, "memory": 1}).encode()
        tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
        tus["Upload-Metadata"] = "sha256 " + base64.b64encode(b"0" * 64).decode()
        api = "/api/v1"
        return {
            "healthz": Ask("GET", "/healthz"),
            "me": Ask("GET", f"{api}/me", self.person),
            "challenges": Ask("GET", f"{api}/challenges"),
            "board": Ask("GET", f"{api}/challenges/fomo26/leaderboards/validation"),
            "page": Ask("GET", "/challenges/fomo26"),
            "submissions": Ask("GET", f"{api}/challenges/fomo26/submissions", self.person),
            "log-in": Ask("POST", f"{api}/sessions", JSON, credentials),
            "lease": Ask("POST", f"{api}/worker/leases", JSON, slot),
            "token": Ask("POST", f"{api}/tokens", {**JSON, **self.person}, b'{"name": "n"}'),
            "upload": Ask("POST", f"{api}/challenges/fomo26/uploads", {**self.person, **tus}),
        }


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with installation() as settings, server(settings) as url:
        sessions = open_database(settings.database_url, pool_size=1)
        with unit_of_work(sessions) as session:
            account = Account(email="a@example.org", name="Ada", password_hash="none")
            session.add(account)
            session.flush()
            scopes = ["read", "submit"]
            token, _ = issue(session, TokenKind.SESSION, name="x", user_id=account.id, scopes=scopes)
            worker = create_worker_token(session, "run-1")
            apply(session, load_challenge(FOMO26), actor="tests")
        sessions.kw["bind"].dispose()
        yield World(url, {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {worker}"})


@pytest.mark.parametrize(
    "name",
    ["healthz", "me", "challenges", "board", "page", "submissions", "log-in", "lease", "token", "upload"],
)
def test_a_thousand_at_once_end_soon_and_leave_workers_and_health_alone(world: World, name: str) -> None:
    made, health, beats = asyncio.run(_flooded(world, world.asks()[name]))
    assert sum(made.counted().values()) == COUNT
    assert not {0, 500} & set(made.counted()), made.counted()
    assert made.counted().get(503, 0) < COUNT, made.counted()
    assert made.took < AT_MOST, made.took
    assert set(beats.counted()) == {200}, beats.counted()
    assert beats.percentile(100) < 10, "a run worker gives a heartbeat up after ten seconds"
    assert set(health.counted()) == {200}, health.counted()


async def _flooded(world: World, ask: Ask) -> tuple[Timings, Timings, Timings]:
    over = asyncio.Event()
    held = json.dumps({"leases": [{"case_run": str(uuid4()), "claim_no": 1}]}).encode()
    beat = Ask("POST", "/api/v1/worker/heartbeat", {**JSON, **world.worker}, held)
    health = asyncio.create_task(every(world.url, Ask("GET", "/healthz"), 0.1, over))
    beats = asyncio.create_task(every(world.url, beat, 0.2, over))
    await asyncio.sleep(0.5)
    made = await at_once(world.url, ask, COUNT)
    over.set()
    return made, await health, await beats
