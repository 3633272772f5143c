"""Who sends too much is told so, which limit that is and when there is room again; nobody else notices."""

import re
import time
from collections.abc import Callable

import httpx
import pytest

from client.api import Client
from server.accounts.tokens import create_worker_token
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.front.budgets import Budget
from server.settings import Settings
from tests.server.conftest import Person, serving

PER_TOKEN, PER_ADDRESS = 8, 20


def test_a_budget_comes_back_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: at)
    budget = Budget("token", 60)
    standings = [budget.spend("a") for _ in range(61)]
    assert [standing.left for standing in standings] == [*range(59, -1, -1), 0]
    assert [standing.wait > 0 for standing in standings] == [False] * 60 + [True]
    assert standings[-1].wait == pytest.approx(1.0, abs=0.01)
    assert budget.spend("b").left == 59
    at += 2.5  # two more, and not what was refused
    assert [budget.spend("a").wait > 0 for _ in range(3)] == [False, False, True]
    at += 120
    assert budget.spend("a").left == 59


def test_a_token_and_an_address_have_budgets_and_workers_none(
    settings: Settings, sessions: SessionFactory, person: Callable[..., Person], slug: str
) -> None:
    ada, bob = person(), person("Bob")
    with unit_of_work(sessions) as session:
        worker = create_worker_token(session, f"worker-{slug}")
    bounds = {"requests_per_token": PER_TOKEN, "requests_per_address": PER_ADDRESS}
    with (
        serving(create_app(settings.model_copy(update=bounds))) as url,
        httpx.Client(base_url=f"{url}/api/v1", timeout=30) as http,
    ):

        def ask(token: str, path: str = "/me") -> httpx.Response:
            return http.get(path, headers={"Authorization": f"Bearer {token}"})

        assert ask(ada.token).headers["RateLimit-Policy"] == f'"address";q={PER_ADDRESS};w=60'
        answers = [ask(ada.token) for _ in range(PER_TOKEN + 1)]
        assert [answer.status_code for answer in answers] == [200] * PER_TOKEN + [429]
        assert answers[0].headers["RateLimit-Policy"] == f'"token";q={PER_TOKEN};w=60'
        assert re.fullmatch(rf'"token";r={PER_TOKEN - 1};t=\d+', answers[0].headers["RateLimit"])
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "too_many_requests"
        assert f"more than {PER_TOKEN} requests within a minute" in refused.json()["detail"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 60 // PER_TOKEN + 1
        assert '"token";r=0;' in refused.headers["RateLimit"]
        assert ask(bob.token).status_code == 200
        for _ in range(2 * PER_ADDRESS):
            assert ask(worker, "/worker/me").status_code == 200
        guesses = [ask(f"prc_guess{number}").status_code for number in range(PER_ADDRESS)]
        assert (guesses[0], guesses[-1]) == (401, 429)
        assert "This address" in ask("prc_guess").json()["detail"]
        assert ask(bob.token).status_code == 200
        assert httpx.get(f"{url}/healthz").status_code == 200


def test_the_client_waits_and_goes_on(settings: Settings, person: Callable[..., Person]) -> None:
    ada = person()
    pauses = list[float]()
    bounds = settings.model_copy(update={"requests_per_token": 60})
    with serving(create_app(bounds)) as url, Client(url, ada.token, waiting=pauses.append) as client:
        assert [client.me().email for _ in range(63)] == [ada.email] * 63
    assert pauses
