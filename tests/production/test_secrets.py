"""Each secret of compose.yaml is replaced as docs/operations.md says, while a submission runs that is still scored."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.people import PASSWORD, Person
from tests.production.conftest import Join
from tests.production.stack import Stack
from tests.production.test_production import is_whole, sent

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


@contextmanager
def under_way(production: Stack, team: Person, program: Path) -> Iterator[None]:
    """What the block does happens while a case runs; then every service is well, and the submission is scored once."""
    submission = sent(team, program, track="slowly")
    production.running_case()
    yield
    production.settled()
    is_whole(team, submission, track="slowly")


def test_the_databases_password(production: Stack, join: Join, program: Path) -> None:
    old, new = production.env["POSTGRES_PASSWORD"], secrets.token_hex(32)
    with under_way(production, join(production), program):
        production.env["POSTGRES_PASSWORD"] = new
        change = f"ALTER ROLE proctor PASSWORD '{new}'"
        production.compose("exec", "-T", "postgres", "psql", "--username", "proctor", "--command", change)
        production.again()
    for password, answer in ((old, ""), (new, "1")):
        ask = ("psql", f"postgresql://proctor:{password}@postgres/proctor", "--tuples-only", "--no-align")
        told = production.compose("exec", "-T", "postgres", *ask, "--command", "SELECT 1", check=False)
        assert told.strip() == answer


def test_the_brokers_password(production: Stack, join: Join, program: Path) -> None:
    old = production.env["REDIS_PASSWORD"]
    with under_way(production, join(production), program):
        production.env["REDIS_PASSWORD"] = secrets.token_hex(32)
        production.again()
    for password, answer in ((old, False), (production.env["REDIS_PASSWORD"], True)):
        ask = f"REDISCLI_AUTH={password} redis-cli --user proctor ping"
        told = production.compose("exec", "-T", "redis", "sh", "-c", ask, check=False)
        assert ("PONG" in told) is answer


def test_the_run_workers_token(production: Stack, join: Join, program: Path) -> None:
    old = production.env["PROCTOR_WORKER_TOKEN"]
    with under_way(production, join(production), program):
        production.renew_worker_token()
        production.again("run-worker")
    for token, status in ((old, 401), (production.env["PROCTOR_WORKER_TOKEN"], 200)):
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{production.url}/api/v1/worker/me", headers=headers).status_code == status


def test_the_setup_token_opens_nothing_once_there_is_an_admin(production: Stack, admin: Person) -> None:
    assert admin.get("/admin/errors")["errored"] == []
    body = {"email": "late@example.org", "password": PASSWORD, "name": "Late"}
    for token in (production.env["PROCTOR_SETUP_TOKEN"], secrets.token_hex(32)):
        production.env["PROCTOR_SETUP_TOKEN"] = token
        production.again("server")
        asked = httpx.post(f"{production.url}/api/v1/accounts", json=body | {"setup_token": token})
        assert (asked.status_code, asked.json()["code"]) == (403, "setup_done"), asked.text


def test_the_secret_key_and_what_was_signed_with_the_one_before(
    production: Stack, join: Join, program: Path, admin: Person
) -> None:
    team = join(production)
    submission = sent(team, program)
    is_whole(team, submission, track="open")
    receipt = f"/admin/evaluations/{submission['evaluations'][0]['id']}/receipt"
    signed, known = admin.get(receipt), public_keys(production)
    with under_way(production, join(production), program):
        production.compose("stop", "server", "score-worker")
        production.env["PROCTOR_SECRET_KEY"] = secrets.token_hex(32)
        assert "goes on with this key" in production.admin("adopt-secret-key", "--yes")
        production.again()
    assert admin.get(receipt) == signed
    now = public_keys(production)
    assert known < now
    assert len(now - known) == 1


def public_keys(production: Stack) -> set[str]:
    return {one["key"] for one in httpx.get(f"{production.url}/api/v1/receipts/keys").json()}
