"""People see when and from where their sessions and tokens were used, and hear of a token that ends before it does."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, update
from typer.testing import CliRunner

from client.commands import app
from server.accounts.models import ApiToken
from server.database import SessionFactory, unit_of_work
from server.lookout.tokens import mail_ending
from server.outbox.models import OutboxMessage
from server.settings import Settings
from tests.server.conftest import Clients, Person

HEADER = "Proctor-Token-Expires"


def seen(http: httpx.Client, path: str, id_: str) -> dict[str, str]:
    """The row of `path`, once its use is written."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        (row,) = [row for row in http.get(path).json() if row["id"] == id_]
        if row["last_used_at"] is not None:
            return dict(row)
    raise AssertionError(f"{row} was used")


def test_the_last_use_of_a_session_and_of_a_token_is_shown_coarsely(
    person: Callable[..., Person], clients: Clients
) -> None:
    ada = person()
    made = ada.http.post("/tokens", json={"name": "script"}).json()
    assert made["last_used_at"] is None
    assert clients(made["token"]).get("/me").status_code == 200
    used = seen(ada.http, "/tokens", made["id"])
    assert used["network"] == "127.0.0.0/24"
    assert datetime.now(UTC) - datetime.fromisoformat(used["last_used_at"]) < timedelta(minutes=1)
    (session,) = ada.http.get("/sessions").json()
    assert seen(ada.http, "/sessions", session["id"])["network"] == "127.0.0.0/24"


def test_a_token_that_ends_soon_says_so_in_time_and_the_command_does(
    person: Callable[..., Person],
    clients: Clients,
    sessions: SessionFactory,
    served: tuple[str, SessionFactory],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada = person()
    made = ada.http.post("/tokens", json={"name": "script", "expires_in_days": 30}).json()
    assert HEADER not in clients(made["token"]).get("/me").headers
    soon = ada.http.post("/tokens", json={"name": "soon", "expires_in_days": 10}).json()
    answer = clients(soon["token"]).get("/me")
    assert datetime.fromisoformat(answer.headers[HEADER]) == datetime.fromisoformat(soon["expires_at"])
    assert HEADER not in ada.http.get("/me").headers  # a session of twelve hours is no news
    monkeypatch.setenv("PROCTOR_CONFIG_DIR", str(tmp_path))
    (tmp_path / "login.json").write_text(json.dumps({"url": served[0], "token": soon["token"]}))
    shown = CliRunner().invoke(app, ["sessions"])
    assert shown.exit_code == 0, shown.output
    assert shown.stderr.count(f"Your token ends on {soon['expires_at'][:10]}") == 1
    (session,) = ada.http.get("/sessions").json()
    seen(ada.http, "/sessions", session["id"])
    shown = CliRunner().invoke(app, ["sessions"])
    assert "from 127.0.0.0/24" in shown.stdout
    ended = CliRunner().invoke(app, ["sessions", "--end", session["id"][-12:]])
    assert "You have no session" in ended.stdout
    assert ada.http.get("/me").status_code == 401
    with unit_of_work(sessions) as session:
        ended_at = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(ApiToken).where(ApiToken.id == UUID(soon["id"])).values(expires_at=ended_at))
    assert clients(soon["token"]).get("/me").json()["code"] == "token_expired"


def test_whoever_made_a_token_gets_one_mail_before_it_ends(
    person: Callable[..., Person], sessions: SessionFactory, settings: Settings
) -> None:
    ada = person()
    made = [
        ada.http.post("/tokens", json={"name": f"for {days}", "expires_in_days": days}).json()
        for days in (10, 15, 30)
    ]
    mailing = {"smtp_url": SecretStr("smtp://127.0.0.1:1"), "mail_from": "proctor@hospital.example"}
    with unit_of_work(sessions) as session:
        older = update(ApiToken).where(ApiToken.id.in_([UUID(token["id"]) for token in made[1:]]))
        aged = {name: getattr(ApiToken, name) - timedelta(days=2) for name in ("created_at", "expires_at")}
        session.execute(older.values(aged), execution_options={"synchronize_session": False})
    for update_ in ({}, mailing, mailing):
        with unit_of_work(sessions) as session:
            mail_ending(session, settings=settings.model_copy(update=update_))
    with sessions() as session:
        sent = session.scalars(select(OutboxMessage).where(OutboxMessage.address == ada.email)).all()
    assert [mail.key for mail in sent] == [f"token-ends:{made[1]['id']}"]
    assert "Your API token for 15 " in str(sent[0].payload["text"])
