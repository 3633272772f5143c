"""`proctor-admin` about people and what they submitted: first admins, forgotten passwords, and finding anything."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from server.accounts.models import Account
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import CaseRun
from server.events import Event
from server.settings import Settings
from tests.server.conftest import PASSWORD, Person
from tests.server.lab import Entrant, Lab
from tests.server.test_leaderboard import scored
from worker.admin.main import collect
from worker.embedded.data import CHECKOUT

Admin = Callable[..., Any]


@pytest.fixture
def environment(settings: Settings, first_admin: tuple[str, str, str]) -> dict[str, str]:
    """What a command is told; there is an admin already, whom other tests need to be the first."""
    return {
        "DATABASE_URL": settings.database_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": settings.secret_key.get_secret_value(),
        "COLUMNS": "200",
    }


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Admin:
    """Runs a command as somebody would who has no terminal."""
    for key, value in environment.items():
        monkeypatch.setitem(os.environ, key, value)
    return lambda *words, **more: CliRunner().invoke(collect(), [str(word) for word in words], **more)


def typed(environment: dict[str, str], words: list[str], answers: list[str]) -> tuple[int, str]:
    """The exit code and what a terminal shows of a command that asks for secrets."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.admin", *words],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=_own_terminal,
    )
    os.close(slave)
    shown = b""
    for answer in answers:
        asked = b""
        while not asked.rstrip().endswith(b":") and (part := _read(master)):
            asked += part
        os.write(master, f"{answer}\n".encode())
        shown += asked
    while part := _read(master):
        shown += part
    os.close(master)
    return process.wait(60), shown.decode()


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(master: int) -> bytes:
    """What the terminal shows next; nothing once the command has ended."""
    ready, _, _ = select.select([master], [], [], 60)
    if not ready:
        return b""
    try:
        return os.read(master, 1000)
    except OSError:  # the other side is closed
        return b""


def log_in(nobody: httpx.Client, email: str, password: str) -> httpx.Response:
    return nobody.post("/sessions", json={"email": email, "password": password})


def test_an_admin_is_made_with_a_password_from_standard_input(
    run: Admin, nobody: httpx.Client, clients: Callable[[str | None], httpx.Client], sessions: SessionFactory
) -> None:
    mail = f"{uuid4().hex}@Example.org"
    made = run("create-admin", mail, "--password-stdin", input="ten characters or more \n")
    assert (made.exit_code, made.output) == (0, f"{mail.lower()} is an admin now.\n")
    token = log_in(nobody, mail, "ten characters or more ").json()["token"]
    assert clients(token).get("/admin/users").status_code == 200
    with sessions() as session:
        account = session.scalars(sa.select(Account).where(Account.email == mail.lower())).one()
        events = session.scalars(
            sa.select(Event).where(Event.subject_id == account.id).order_by(Event.id)
        ).all()
        assert [(one.actor, one.what) for one in events][-1] == ("proctor-admin", "made admin")
    again = run("create-admin", mail)
    assert (again.exit_code, "is an admin already" in again.output) == (0, True)


def test_the_password_is_asked_for_twice_and_never_shown(
    environment: dict[str, str], nobody: httpx.Client
) -> None:
    mail = f"{uuid4().hex}@example.org"
    code, shown = typed(environment, ["create-admin", mail], ["a secret of mine", "a secret of mine"])
    assert code == 0, shown
    assert "a secret of mine" not in shown
    assert log_in(nobody, mail, "a secret of mine").status_code == 201
    other = f"{uuid4().hex}@example.org"
    code, shown = typed(environment, ["create-admin", other], ["a secret of mine", "a secret of nine"])
    assert (code, "differ" in shown) == (1, True)
    assert log_in(nobody, other, "a secret of mine").status_code == 401


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["no-address"], "long enough a password\n", "no address"),
        (["nobody-yet@example.org"], "short\n", "at least 10"),
        (["nobody-yet@example.org"], "", "at least 10"),
        (["nobody-yet@example.org", "--name", "a\x1bb"], "long enough a password\n", "control characters"),
    ],
)
def test_what_an_account_cannot_have_is_said_and_nothing_is_made(
    run: Admin, words: list[str], given: str, said: str
) -> None:
    refused = run("create-admin", *words, "--password-stdin", input=given)
    assert refused.exit_code == 1
    assert said in refused.output
    assert "nobody-yet@example.org" not in run("people").output


def test_without_a_terminal_the_password_has_to_come_on_standard_input(run: Admin) -> None:
    refused = run("create-admin", "nobody-yet@example.org", input="something long enough\n")
    assert (refused.exit_code, "--password-stdin" in refused.output) == (1, True)


def test_a_person_with_an_account_becomes_an_admin_only_with_yes(
    run: Admin, person: Callable[..., Person], nobody: httpx.Client
) -> None:
    ada = person("Ada")
    refused = run("create-admin", ada.email)
    assert (refused.exit_code, "--yes" in refused.output) == (1, True)
    assert run("create-admin", ada.email, "--yes").exit_code == 0
    assert log_in(nobody, ada.email, PASSWORD).status_code == 201
    row = next(one for one in json.loads(run("people", ada.email, "--json").output))
    assert (row["is_admin"], row["name"]) == (True, "Ada")


def test_a_reset_prints_a_code_that_works_once(
    run: Admin, person: Callable[..., Person], nobody: httpx.Client
) -> None:
    ada = person()
    refused = run("reset-password", ada.email)
    assert (refused.exit_code, "--yes" in refused.output) == (1, True)
    assert ada.http.get("/me").status_code == 200
    reset = run("reset-password", ada.email.upper(), "--yes")
    assert reset.exit_code == 0
    code = reset.stdout.strip()
    assert "proctor passwd --forgotten" in reset.stderr
    assert ada.http.get("/me").status_code == 401
    body = {"email": ada.email, "code": code, "password": "another password"}
    assert nobody.post("/password-resets", json=body).status_code == 204
    unknown = run("reset-password", "nobody@example.org", "--yes")
    assert (unknown.exit_code, "proctor-admin people" in unknown.output) == (1, True)


def test_people_teams_and_submissions_are_listed(
    run: Admin, lab: Lab, entrant: Callable[[str], Entrant]
) -> None:
    blue = entrant("Blue Lab")
    evaluation = scored(lab, blue, 0.9)
    listed = run("people", "--json")
    me = blue.http.get("/me").json()
    (own,) = [one for one in json.loads(listed.output) if one["id"] == me["id"]]
    assert own["teams"][0]["name"] == "Blue Lab"
    assert f"Blue Lab ({lab.slug})" in run("people", me["email"]).output
    teams = run("teams", "blue", "--challenge", lab.slug).output
    assert me["email"] in teams
    assert "1 spent" in teams
    rows = json.loads(run("submissions", "--challenge", lab.slug, "--json").output)
    assert [one["id"] for one in rows] == [evaluation]
    words = ["--challenge", lab.slug, "--team", "BLUE LAB", "--since", "1h", "--status", "scored"]
    assert evaluation in run("submissions", *words).output
    assert "Nothing was submitted" in run("submissions", *words[:-1], "errored").output
    assert "There is no team 'Nobody'" in run("submissions", "--team", "Nobody").output
    wrong = run("submissions", "--since", "yesterday")
    assert (wrong.exit_code, "2d, 6h, 30m" in wrong.output) == (1, True)


def test_one_is_shown_by_the_beginning_of_its_id(run: Admin, lab: Lab, team: Entrant) -> None:
    evaluation = scored(lab, team, 0.75)
    with unit_of_work(lab.sessions) as session:
        ofit = CaseRun.evaluation_id == UUID(evaluation)
        session.execute(
            sa.update(CaseRun).where(ofit).values(log="FileNotFoundError: weights", worker="run-1")
        )
        first = session.scalars(sa.select(CaseRun).where(ofit).order_by(CaseRun.position)).first()
        assert first is not None
        pseudonym, name = first.pseudonym, first.case.name
    shown = run("show", evaluation[:-2])
    assert shown.exit_code == 0, shown.output
    for word in ("The Team", "task5", "scored", "0.75", "sha256:", pseudonym, name, "run-1", "--log CASE"):
        assert word in shown.output
    assert "FileNotFoundError" not in shown.output
    assert run("show", evaluation, "--log", pseudonym).output == "FileNotFoundError: weights\n"
    assert run("show", evaluation, "--log", name).output == "FileNotFoundError: weights\n"
    unknown = run("show", evaluation, "--log", "case_nope")
    assert (unknown.exit_code, pseudonym in unknown.output) == (1, True)
    content = json.loads(run("show", evaluation, "--json").output)
    assert (content["id"], content["evaluation"]["cases"][0]["name"]) == (evaluation, name)
    by_submission = run("show", content["evaluation"]["submission"])
    assert (by_submission.exit_code, evaluation in by_submission.output) == (0, True)


@pytest.mark.parametrize("id_", ["ffffffff", "01", "nonsense", ""])
def test_an_id_that_nothing_has_is_said(run: Admin, lab: Lab, id_: str) -> None:
    refused = run("show", id_)
    assert refused.exit_code == 1
    assert refused.output.strip()
    assert "Traceback" not in refused.output
