"""Every operation as the API's description has it, by a program that knows nothing else: schemathesis, all its checks.

It sends what the description allows and what it forbids, with no token, as a participant, a run worker and an admin,
and looks at statuses, contents, headers and schemas of answers, at methods that are not there, and at tokens that are
left out. What is left out of it stands in `schemathesis.toml`, each with its reason.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from contract.accounts import Scope
from server.accounts.models import Account, TokenKind
from server.accounts.tokens import issue
from server.database import SessionFactory, unit_of_work
from tests.server.lab import Entrant, Lab

CONFIG = Path(__file__).with_name("schemathesis.toml")
SEED = 2026
GOODBYES = ("/api/v1/sessions/current", "/api/v1/me/password", "/api/v1/teams/{team_id}/members/me")
"""Whoever says these once is refused everything afterwards."""


@dataclass(frozen=True)
class Asker:
    """Somebody with a token or none, and the part of the API that is for them."""

    token: str | None
    part: str


@pytest.fixture
def askers(
    lab: Lab, team: Entrant, sessions: SessionFactory, first_admin: tuple[str, str, str]
) -> dict[str, Asker]:
    """Everybody who asks; the admin is another than the first, whom the tests to come need as they were."""
    with unit_of_work(sessions) as session:
        account = Account(
            email=f"{uuid4().hex}@example.org", name="Grace", password_hash="none", is_admin=True
        )
        session.add(account)
        session.flush()
        scopes = list(Scope)
        admin, _ = issue(session, TokenKind.SESSION, name="log-in", user_id=account.id, scopes=scopes)
    team.submit()
    bearer = len("Bearer ")
    return {
        "nobody": Asker(None, ".*"),
        "participant": Asker(
            team.http.headers["Authorization"][bearer:], r"^/(healthz|api/v1/(?!admin|organize|worker))"
        ),
        "worker": Asker(lab.worker().http.headers["Authorization"][bearer:], "^/api/v1/worker/"),
        "admin": Asker(admin, "^/api/v1/(admin|organize)/"),
    }


def _run(
    where: str, asker: Asker, folder: Path, *, phases: str, examples: int, seed: int = SEED
) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("schemathesis")
    arguments = [
        program, "--config-file", CONFIG, "run", f"{where}/api/v1/openapi.json",
        "--phases", phases, "--max-examples", examples, "--seed", seed, "--generation-database", "none",
        "--include-path-regex", asker.part, "--no-color", "--suppress-health-check", "all", "--no-shrink",
        "--request-timeout", 60,
    ]  # fmt: skip
    if asker.token:
        arguments += ["--header", f"Authorization: Bearer {asker.token}"]
        arguments += [word for path in GOODBYES for word in ("--exclude-path", path)]
    return subprocess.run(
        [str(one) for one in arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(CONFIG.parent)},
        timeout=1_500,
        check=False,
    )


def _refuted(where: str, askers: dict[str, Asker], folder: Path, *, phases: str, examples: int) -> list[str]:
    """What is not as the description says, by whom: all ask at once, for each alone leaves a core idle."""

    httpx.get(f"{where}/api/v1/openapi.json", timeout=120)  # made once; a busy machine takes its time for it

    def run(who: str) -> str:
        (folder / who).mkdir()
        done = _run(where, askers[who], folder / who, phases=phases, examples=examples)
        return "" if done.returncode == 0 else f"{who}: {done.stdout[-20_000:]}{done.stderr[-2_000:]}"

    with ThreadPoolExecutor(len(askers)) as pool:
        return [told for told in pool.map(run, askers) if told]


def test_a_few_requests_of_each_kind_get_what_the_description_says(
    askers: dict[str, Asker], served: tuple[str, SessionFactory], tmp_path: Path
) -> None:
    told = _refuted(served[0], askers, tmp_path, phases="fuzzing", examples=3)
    assert not told, "\n".join(told)


@pytest.mark.long
def test_requests_of_every_kind_get_what_the_description_says(
    askers: dict[str, Asker], served: tuple[str, SessionFactory], tmp_path: Path
) -> None:
    phases = "examples,coverage,fuzzing,stateful"
    told = _refuted(served[0], askers, tmp_path, phases=phases, examples=40)
    assert not told, "\n".join(told)
