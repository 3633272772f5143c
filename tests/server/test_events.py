"""The event log as admins read it, over HTTP and as a command."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import server
from contract.events import Subject
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from tests.server.test_admin_lists import items
from tests.server.test_faults import BROKEN


@pytest.fixture
def parked(lab: Lab, team: Entrant) -> tuple[str, str, str]:
    """A case that met a fault: its evaluation, its case run, its worker's name in the log."""
    evaluation, worker = team.submit(), lab.worker()
    lease = worker.take()
    assert worker.release(lease, BROKEN) == 204
    host = next(run.worker_id for run in lab.runs(evaluation) if str(run.id) == lease["case_run"])
    assert host is not None
    return evaluation, str(lease["case_run"]), str(host)


def test_events_are_found_by_what_they_are_about_who_did_it_and_what_came_of_it(
    admin: Person, parked: tuple[str, str, str], team: Entrant
) -> None:
    evaluation, case_run, _ = parked
    of_case = items(admin.http, "events", id=case_run)
    said = [(one["old"], one["new"], one["claim_no"], one["code"]) for one in of_case]
    assert said == [("running", "parked", 1, BROKEN), ("waiting", "running", 1, None)], "newest first"
    (worker,) = {one["actor"] for one in of_case}
    assert worker.startswith("worker:")
    (started,) = items(admin.http, "events", subject="evaluation", id=evaluation)
    assert (started["old"], started["new"], started["actor"], started["what"]) == (
        "queued",
        "running",
        worker,
        None,
    )
    assert [one["subject_id"] for one in items(admin.http, "events", actor=worker, code=BROKEN)] == [case_run]
    assert items(admin.http, "events", actor=worker, new="parked", subject="upload") == []
    assert items(admin.http, "events", id=case_run, since="2100-01-01T00:00:00Z") == []
    before = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    assert items(admin.http, "events", id=case_run, since=before) == of_case
    assert items(admin.http, "events", id=case_run, since="0001-01-01T00:00:00Z") == of_case
    founded = items(admin.http, "events", subject="team", id=team.team)
    assert [(one["what"], one["new"]) for one in founded] == [("created", None)]


@pytest.mark.parametrize(
    ("wrong", "code"), [({"subject": "teams"}, "invalid_request"), ({"id": "xyz"}, "not_an_id")]
)
def test_a_filter_that_nothing_can_have_is_refused(admin: Person, wrong: dict[str, Any], code: str) -> None:
    answer = admin.http.get("/admin/events", params=wrong)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == code


def test_the_command_shows_the_same(command: Admin, admin: Person, parked: tuple[str, str, str]) -> None:
    _, case_run, _ = parked
    shown = command("events", case_run, "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout) == items(admin.http, "events", id=case_run)
    text = command("events", case_run, "--subject", "case_run", "--new", "parked", "--since", "1h")
    assert f"running → parked (claim 1, {BROKEN})" in text.stdout
    assert "waiting → running" not in text.stdout
    few = command("events", case_run, "--limit", "1")
    assert "The newest 1 are shown" in few.output
    assert "waiting → running" not in few.stdout
    assert "Nothing happened" in command("events", case_run, "--code", "timeout").stdout


def test_every_event_is_about_something_of_the_list() -> None:
    content = "".join(path.read_text() for path in Path(server.__file__).parent.rglob("*.py"))
    named = re.findall(r'(?:events\.record|move|begin)\(\s*session,\s*"(\w+)"', content)
    assert len(named) > 20
    assert set(named) <= set(Subject)
