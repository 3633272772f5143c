"""Log-ins in masses: what hashes passwords is bounded, and keeps nothing from others while it waits."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from server.accounts import hashing
from server.accounts.hashing import LANE, Lane
from server.database import SessionFactory
from server.errors import Busy
from tests.server.conftest import PASSWORD, Person

People = Callable[..., Person]
ROOT = Path(__file__).parents[2]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_so_many_work_so_many_wait_and_the_last_places_are_for_those_who_are_known() -> None:
    lane, go, done = Lane(2, waiting=8), threading.Event(), []

    def work(known: bool) -> None:
        with lane.turn(known=known):
            go.wait()
            done.append(known)

    threads = [threading.Thread(target=work, args=(False,)) for _ in range(2 + 6)]
    for one in threads:
        one.start()
    until(lambda: lane._taken == 8)
    with pytest.raises(Busy, match="try again") as refused, lane.turn():
        raise AssertionError("a stranger took a place of those who are known")
    assert int(refused.value.headers["Retry-After"]) > 0
    threads += [threading.Thread(target=work, args=(True,)) for _ in range(2)]
    for one in threads[-2:]:
        one.start()
    until(lambda: lane._taken == 10)
    with pytest.raises(Busy), lane.turn(known=True):
        raise AssertionError("there was no place left")
    go.set()
    for one in threads:
        one.join()
    assert (len(done), lane._taken) == (10, 0)
    with lane.turn():
        pass


def test_who_waits_too_long_is_told_and_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_WAIT_SECONDS", 0.05)
    lane = Lane(1, waiting=4)
    with lane.turn():
        with pytest.raises(Busy), lane.turn():
            raise AssertionError("two at once")
        assert lane._taken == 1
    assert lane._taken == 0


def test_nobody_who_waits_for_a_turn_holds_a_connection(
    person: People, nobody: httpx.Client, sessions: SessionFactory
) -> None:
    ada, bob, eve = person(), person("Bob"), person("Eve")
    answers: dict[str, int] = {}
    calls = {
        "log in": lambda: nobody.post("/sessions", json={"email": ada.email, "password": PASSWORD}),
        "register": lambda: nobody.post(
            "/accounts", json={"email": f"new-{ada.email}", "name": "New", "password": PASSWORD}
        ),
        "change": lambda: eve.http.post(
            "/me/password", json={"old_password": PASSWORD, "new_password": "another password"}
        ),
        "close": lambda: bob.http.post("/me/close", json={"password": PASSWORD}),
    }

    def call(name: str) -> None:
        answers[name] = calls[name]().status_code

    threads = [threading.Thread(target=call, args=(name,)) for name in calls]
    turns = len(calls)
    with ExitStack() as held:
        most = LANE._places[True] - 16
        for _ in range(most):
            held.enter_context(LANE.turn(known=True))
        for one in threads:
            one.start()
        until(lambda: LANE._taken == most + turns)
        until(lambda: sessions.kw["bind"].pool.checkedout() == 0)
        time.sleep(0.1)
        assert sessions.kw["bind"].pool.checkedout() == 0
        assert nobody.get("/challenges").status_code == 200
    for one in threads:
        one.join()
    assert answers == {"log in": 201, "register": 201, "change": 204, "close": 204}


def test_passwords_are_hashed_in_one_place_only() -> None:
    places = [
        str(path.relative_to(ROOT))
        for folder in ("server", "worker", "client")
        for path in (ROOT / folder).rglob("*.py")
        if "argon2" in path.read_text().replace("argon2id", "")
    ]
    assert places == ["server/accounts/hashing.py"]
