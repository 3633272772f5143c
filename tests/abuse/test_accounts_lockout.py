"""Guesses that are to shut somebody out, and guesses that are to let somebody in.

Tried: thousands of wrong log-ins for an address from one place and from many, signs of devices that are forged, out of
date, or another address's, whole networks of IPv6, and many wrong passwords by somebody behind the same router.
"""

import contextlib
import hashlib
import itertools
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select, update

from server.accounts import devices, log_ins
from server.accounts.models import Tally
from server.accounts.sources import network_of
from server.database import SessionFactory, unit_of_work
from server.errors import NotNow
from server.settings import Settings
from tests.server.conftest import PASSWORD, Person

People = Callable[..., Person]
KEY = "k" * 40


def log_in(
    nobody: httpx.Client, email: str, password: str = PASSWORD, *, source: str = "", device: str | None = None
) -> httpx.Response:
    headers = {"X-Forwarded-For": source} if source else {}
    return nobody.post(
        "/sessions", json={"email": email, "password": password, "device": device}, headers=headers
    )


def guessed(
    sessions: SessionFactory, email: str, times: int, *, sources: int, shown: str | None = None
) -> int:
    """How many of so many log-ins, from so many places in turn, get as far as a look at the password."""
    looked_at = 0
    with unit_of_work(sessions) as session:
        for at in range(times):
            source = f"198.51.{at % sources // 250}.{at % sources % 250}"
            with contextlib.suppress(NotNow), session.begin_nested():
                log_ins.begin(session, email=email, source=source, shown=shown, key=KEY, per_source=10**6)
                looked_at += 1
    return looked_at


def place() -> str:
    """A network that no other test comes from."""
    digits = uuid4().hex
    return f"2001:{digits[:4]}:{digits[4:8]}::1"


def test_the_owner_gets_in_from_a_known_device_while_others_guess(
    person: People, nobody: httpx.Client, sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_ins, "ADDRESS_DAILY", log_ins.ADDRESS_DAILY.at(40))
    ada = person()
    device = log_in(nobody, ada.email, source=place()).json()["device"]
    assert guessed(sessions, ada.email, 60, sources=40) == log_ins.ADDRESS_DAILY.most
    refused = log_in(nobody, ada.email, source=place())
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_log_ins")
    assert "device that you used" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) <= 86_400
    for source in (place(), place()):
        let_in = log_in(nobody, ada.email, source=source, device=device)
        assert let_in.status_code == 201, let_in.text
        device = let_in.json()["device"]


@pytest.mark.long
def test_ten_thousand_guesses_shut_no_known_device_out(
    person: People, nobody: httpx.Client, sessions: SessionFactory
) -> None:
    ada = person()
    device = log_in(nobody, ada.email, source=place()).json()["device"]
    assert guessed(sessions, ada.email, 10_000, sources=1_000) == log_ins.ADDRESS_DAILY.most
    assert log_in(nobody, ada.email, source=place(), device=device).status_code == 201


def test_guesses_from_one_place_shut_nobody_out_elsewhere(
    person: People, nobody: httpx.Client, sessions: SessionFactory
) -> None:
    ada = person()
    taken = guessed(sessions, ada.email, 200, sources=1)
    assert taken == log_ins.ADDRESS_FROM_SOURCE.most
    assert log_in(nobody, ada.email, source=place()).status_code == 201


def shared_with(source: str, email: str) -> tuple[str, str]:
    """A source and an address that whoever knows all but the installation's secret takes for the same row."""

    def row(*of: str) -> bytes:
        return hashlib.sha256("\0".join(of).encode()).digest()[:2]

    mine, wanted = network_of(place()), row(source, email)
    found = (f"{number}@example.org" for number in itertools.count())
    return mine, next(one for one in found if row(mine, one) == wanted)


def test_nobody_chooses_an_address_that_is_counted_with_another_s(
    person: People, nobody: httpx.Client
) -> None:
    ada, home = person(), network_of(place())
    mine, chosen = shared_with(home, ada.email)
    guesses = [log_in(nobody, chosen, "wrong", source=mine).status_code for _ in range(12)]
    assert guesses[-2:] == [429, 429]
    assert log_in(nobody, ada.email, source=home).status_code == 201


def test_one_place_has_thirty_guesses_a_day_for_an_address(sessions: SessionFactory) -> None:
    email, taken = f"{uuid4().hex}@example.org", 0
    for _ in range(8):
        taken += guessed(sessions, email, 12, sources=1)
        with unit_of_work(sessions) as session:  # a quarter of an hour passes
            short = Tally.key.startswith("address-from-source:")
            session.execute(update(Tally).where(short).values(ends=func.now() - timedelta(seconds=1)))
    assert taken == log_ins.ADDRESS_FROM_SOURCE_DAILY.most


def test_the_owner_who_has_no_known_device_left_gets_in_with_a_code(
    person: People,
    admin: Person,
    nobody: httpx.Client,
    sessions: SessionFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_ins, "ADDRESS_DAILY", log_ins.ADDRESS_DAILY.at(20))
    ada, source = person(), place()
    guessed(sessions, ada.email, 30, sources=40)
    assert log_in(nobody, ada.email, source=source).status_code == 429
    code = admin.http.post(f"/admin/users/{ada.id}/password-reset").json()["code"]
    body = {"email": ada.email, "code": code, "password": "another password"}
    assert nobody.post("/password-resets", json=body, headers={"X-Forwarded-For": source}).status_code == 204
    assert log_in(nobody, ada.email, "another password", source=source).status_code == 201


def test_a_known_device_has_guesses_of_its_own_and_no_more(person: People, nobody: httpx.Client) -> None:
    ada, source = person(), place()
    device = log_in(nobody, ada.email, source=source).json()["device"]
    answers = [
        log_in(nobody, ada.email, "wrong", source=source, device=device).status_code
        for _ in range(log_ins.DEVICE.most + log_ins.ADDRESS_FROM_SOURCE.most + 3)
    ]
    assert answers == [401] * (log_ins.DEVICE.most + log_ins.ADDRESS_FROM_SOURCE.most) + [429] * 3


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "prd",
        "prd_a_1_b",
        "prd_" + "a" * 32 + "_99999999999_" + "0" * 64,
        "prd_é_²_ü",
        "prd_a_\u0661_b",
        "x" * 200,
    ],
)
def test_a_forged_sign_is_a_strangers(sessions: SessionFactory, shown: str) -> None:
    email = f"{uuid4().hex}@example.org"
    assert devices.known(KEY, email, shown) is None
    assert guessed(sessions, email, 12, sources=1, shown=shown) == log_ins.ADDRESS_FROM_SOURCE.most


def test_a_sign_is_good_for_its_address_its_key_and_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = devices.sign(KEY, "ada@example.org")
    name = devices.known(KEY, "ada@example.org", shown)
    assert name is not None
    assert devices.known(KEY, "ada@example.org", devices.sign(KEY, "ada@example.org", name)) == name
    assert devices.known(KEY, "eve@example.org", shown) is None
    assert devices.known("j" * 40, "ada@example.org", shown) is None
    monkeypatch.setattr(devices, "LASTS", -1)
    assert devices.known(KEY, "ada@example.org", devices.sign(KEY, "ada@example.org")) is None


def test_a_wrong_password_gives_no_sign_and_ones_own_sign_opens_nobody_elses(
    person: People, nobody: httpx.Client
) -> None:
    ada, eve, source = person(), person("Eve"), place()
    assert "device" not in log_in(nobody, ada.email, "wrong", source=source).json()
    own = log_in(nobody, eve.email, source=source).json()["device"]
    answers = [
        log_in(nobody, ada.email, "wrong", source=source, device=own).status_code
        for _ in range(log_ins.ADDRESS_FROM_SOURCE.most + 1)
    ]
    assert answers[-1] == 429


def test_a_place_has_a_bound_for_all_addresses_that_right_passwords_and_known_devices_do_not_spend(
    person: People, sessions: SessionFactory
) -> None:
    ada, source = person(), network_of(place())

    def begun(email: str, shown: str | None = None) -> log_ins.LogIn:
        with unit_of_work(sessions) as session:
            return log_ins.begin(session, email=email, source=source, shown=shown, key=KEY, per_source=20)

    for _ in range(60):
        tried = begun(ada.email)
        with unit_of_work(sessions) as session:
            opened = log_ins.finish(session, tried, key=KEY)
    for _ in range(20):
        begun(f"{uuid4().hex}@example.org")
    with pytest.raises(NotNow, match="from your network"):
        begun(f"{uuid4().hex}@example.org")
    assert begun(ada.email, opened.device).is_known


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_source_is_an_ipv4_address_or_a_network_of_ipv6(host: str, network: str) -> None:
    assert network_of(host) == network


def test_only_a_proxy_that_is_trusted_says_where_a_request_comes_from(
    person: People, nobody: httpx.Client
) -> None:
    """The last hop that is no trusted proxy counts: what a client writes in front of it is not believed."""
    ada, real = person(), place()
    for at in range(log_ins.ADDRESS_FROM_SOURCE.most):
        assert log_in(nobody, ada.email, "wrong", source=f"203.0.113.{at}, {real}").status_code == 401
    assert log_in(nobody, ada.email, source=f"203.0.113.99, {real}").status_code == 429


def test_an_unknown_address_is_counted_and_answered_like_a_known_one(
    person: People, nobody: httpx.Client
) -> None:
    ada, unknown, source = person(), f"{uuid4().hex}@example.org", place()
    for _ in range(log_ins.ADDRESS_FROM_SOURCE.most + 1):
        one = log_in(nobody, ada.email, "wrong", source=source)
        other = log_in(nobody, unknown, "wrong", source=source)
        assert one.status_code == other.status_code
        told, others = (answer.json() | {"instance": None} for answer in (one, other))
        assert told == others, "but for the id of the request"
    assert one.status_code == 429


def test_capitals_and_blanks_are_the_same_address(person: People, nobody: httpx.Client) -> None:
    ada, source = person(), place()
    spellings = [ada.email, ada.email.upper(), f" {ada.email} ", ada.email.title()]
    answers = [log_in(nobody, spellings[at % 4], "wrong", source=source).status_code for at in range(11)]
    assert answers == [401] * 10 + [429]


def test_what_was_counted_is_removed_when_its_time_is_over(
    sessions: SessionFactory, settings: Settings
) -> None:
    for _ in range(3):
        guessed(sessions, f"{uuid4().hex}@example.org", 1, sources=1)
    with unit_of_work(sessions) as session:
        session.execute(update(Tally).values(ends=func.now() - timedelta(seconds=1)))
        before = session.scalar(select(func.count()).select_from(Tally)) or 0
    for _ in range(before // 50 + 2):
        guessed(sessions, "one@example.org", 1, sources=1)
    with sessions() as session:
        assert (session.scalar(select(func.count()).select_from(Tally)) or 0) <= 4
