"""Log-ins in masses: what hashes passwords is bounded, and keeps nothing from others while it waits."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from server.accounts import hashing
from server.accounts.hashing import LANE, Lane
from server.database import SessionFactory
from server.errors import Busy
from tests.server.conftest import PASSWORD, Person

People = Callable[..., Person]
ROOT = Path(__file__).parents[2]
TURNS = max(1, len(os.sched_getaffinity(0)) // 2)


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
    until(lambda: lane.taken == 8)
    with pytest.raises(Busy, match="try again") as refused, lane.turn():
        raise AssertionError("a stranger took a place of those who are known")
    assert int(refused.value.headers["Retry-After"]) > 0
    threads += [threading.Thread(target=work, args=(True,)) for _ in range(2)]
    for one in threads[-2:]:
        one.start()
    until(lambda: lane.taken == 10)
    with pytest.raises(Busy), lane.turn(known=True):
        raise AssertionError("there was no place left")
    go.set()
    for one in threads:
        one.join()
    assert (len(done), lane.taken) == (10, 0)
    with lane.turn():
        pass


def test_who_waits_too_long_is_told_and_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_WAIT_SECONDS", 0.05)
    lane = Lane(1, waiting=4)
    with lane.turn():
        with pytest.raises(Busy), lane.turn():
            raise AssertionError("two at once")
        assert lane.taken == 1
    assert lane.taken == 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/sessions", {"email": "MAIL", "password": PASSWORD}, 201),
        ("/accounts", {"email": "new-MAIL", "name": "New", "password": PASSWORD}, 201),
        ("/me/password", {"old_password": PASSWORD, "new_password": "another password"}, 204),
        ("/me/close", {"password": PASSWORD}, 204),
        ("/password-resets", {"email": "MAIL", "code": "CODE", "password": "another password"}, 204),
    ],
)
def test_who_waits_for_a_turn_holds_no_connection(
    person: People, admin: Person, sessions: SessionFactory, path: str, body: dict[str, str], status: int
) -> None:
    ada, answers = person(), []
    code = ""
    if "code" in body:
        code = admin.http.post(f"/admin/users/{ada.id}/password-reset").json()["code"]
    sent = {key: value.replace("MAIL", ada.email).replace("CODE", code) for key, value in body.items()}
    thread = threading.Thread(target=lambda: answers.append(ada.http.post(path, json=sent).status_code))
    with ExitStack() as held:
        for _ in range(TURNS):
            held.enter_context(LANE.turn(known=True))
        thread.start()
        until(lambda: LANE.taken == TURNS + 1)
        until(lambda: sessions.kw["bind"].pool.checkedout() == 0)
        time.sleep(0.1)
        assert sessions.kw["bind"].pool.checkedout() == 0
        assert admin.http.get("/challenges").status_code == 200
    thread.join()
    assert answers == [status]


def test_passwords_are_hashed_in_one_place_only() -> None:
    places = [
        str(path.relative_to(ROOT))
        for folder in ("server", "worker", "client")
        for path in (ROOT / folder).rglob("*.py")
        if "argon2" in path.read_text().replace("argon2id", "")
    ]
    assert places == ["server/accounts/hashing.py"]
