"""Reference submissions: made of labels, scored as everything else is, seen by organizers alone, and on no board."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from sqlalchemy import delete, func, select, update

from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import Evaluation
from server.reference_submissions import service
from server.reference_submissions.models import ReferenceSubmission
from server.storage.sweep import sweep
from server.teams.models import Team
from tests.server.conftest import Person
from tests.server.lab import Lab
from tests.server.organizer import Admin, board_of, words
from tests.server.phantoms import FOMO26, Phantom, phantom
from tests.server.test_leaderboard import change
from worker.score.reference_submissions import try_waiting

CASES = 6


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    return FOMO26


@pytest.fixture
def made(imported: Callable[..., Result], lab: Lab, tmp_path: Path) -> Phantom:
    """Cases of task5 that are in force; nothing waits to be tried."""
    with unit_of_work(lab.sessions) as session:
        session.execute(delete(ReferenceSubmission))
    found = phantom(tmp_path, "task5", cases=CASES)
    assert imported(found, "--yes").exit_code == 0
    return found


def ask(http: httpx.Client, lab: Lab, **which: str) -> httpx.Response:
    return http.post(f"/organize/{lab.slug}/reference-submissions", json={"phase": "validation", **which})


def found(http: httpx.Client, lab: Lab) -> Any:
    """What is known of the one that was asked for."""
    answer = http.get(f"/organize/{lab.slug}/reference-submissions")
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()
    return row


def test_what_was_tried_counts_until_its_task_runs_or_is_scored_otherwise(
    made: Phantom, lab: Lab, admin: Person, fomo26: Challenge
) -> None:
    assert ask(admin.http, lab).status_code == 202
    board = fomo26.boards["task5"]
    fewer = board.model_copy(update={"bootstrap": board.bootstrap.model_copy(update={"resamples": 500})})
    for changes, counts in (
        ({}, True),
        ({"title": "Another title"}, True),
        ({"boards": {**fomo26.boards, "task5": fewer}}, False),
        ({}, True),
    ):
        change(lab, fomo26, **changes)
        assert found(admin.http, lab)["in_force"] is counts, changes


def test_they_come_out_as_expected_before_anybody_is_there_and_leave_nothing_behind(
    made: Phantom, lab: Lab, admin: Person, person: Callable[..., Person], nobody: Any, command: Admin
) -> None:
    stranger = person()
    assert ask(stranger.http, lab).json()["code"] == "organizers_only"
    first = ask(admin.http, lab)
    assert (first.status_code, first.json()[0]["state"]) == (202, "waiting")
    assert ask(admin.http, lab).json() == first.json(), "what waits is not asked for twice"
    assert try_waiting(lab.sessions, lab.settings) == 1
    row = found(admin.http, lab)
    assert (row["state"], row["as_expected"], row["in_force"]) == ("done", True, True), row
    values = {one["variant"]: (one["expected"], one["found"]) for one in row["judgements"] if one["board"]}
    assert values["perfect"] == ("1", "1")
    assert values["constant"] == ("0.5", "0.5")
    assert values["every second missing"][0] == values["every second missing"][1]
    whole = {one["variant"]: one["found"] for one in row["judgements"] if not one["board"]}
    assert whole["wrong shape"] == "REJECTED (output_invalid:one_value)"
    assert whole["no file"] == "REJECTED (output_missing)"
    assert "sub-" not in str(row), "no case is named"
    assert board_of(lab, nobody) == []
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        for table in (Evaluation, Team):
            mine = select(func.count()).where(table.challenge_id == challenge.id)
            assert session.scalar(mine) == 0
    assert list(lab.settings.scratch.iterdir()) == []
    for path in ("check", "reference-submissions"):
        assert stranger.http.get(f"/organize/{lab.slug}/{path}").json()["code"] == "organizers_only"
    shown = command("try-scoring", lab.slug, "--last")
    assert shown.exit_code == 0, shown.output
    assert "validation task5: all as expected" in words(shown)


def test_a_metric_that_went_wrong_and_labels_that_cannot_be_read_are_told(
    made: Phantom, lab: Lab, admin: Person, command: Admin, sessions: SessionFactory
) -> None:
    row = ask(admin.http, lab, task="task5").json()[0]
    with unit_of_work(sessions) as session:
        kept = session.get_one(ReferenceSubmission, row["id"])
        table = lab.settings.references / kept.dataset.folder / "references.csv"
    text = table.read_text()
    table.write_text(text.replace(",0,", ",perhaps,", 1))
    assert try_waiting(lab.sessions, lab.settings) == 1
    row = found(admin.http, lab)
    assert (row["state"], row["as_expected"]) == ("failed", None)
    assert row["trouble"] == "1 labels cannot be read; proctor-admin check lists them"
    table.write_text(text)
    shown = command("try-scoring", lab.slug, "--last")
    assert shown.exit_code == 1
    assert "could not be tried: 1 labels cannot be read" in words(shown)
    waits = command("try-scoring", lab.slug, "--task", "task5", "--minutes", 0, "--json")
    assert waits.exit_code == 1, "nobody has tried it yet"
    assert found(admin.http, lab)["trouble"] is None, "it was asked for anew"
    assert ask(admin.http, lab, task="task1").json()["code"] == "no_dataset"
    assert ask(admin.http, lab, phase="never").json()["code"] == "unknown_phase"


def test_one_whose_score_worker_died_is_taken_by_another_and_given_up_in_the_end(
    made: Phantom, lab: Lab, admin: Person
) -> None:
    ask(admin.http, lab)
    past = func.clock_timestamp() - timedelta(seconds=1)
    for claim in (1, 2):
        with unit_of_work(lab.sessions) as session:
            row = service.claim(session)
            assert row is not None
            assert (row.claim_no, service.claim(session)) == (claim, None)
        folder = lab.settings.scratch / f"{row.id}-{claim}"
        folder.mkdir(parents=True)
        sweep(lab.sessions, lab.settings)
        assert folder.is_dir(), "a worker is at it"
        with unit_of_work(lab.sessions) as session:
            session.execute(update(ReferenceSubmission).values(lease_until=past))
        sweep(lab.sessions, lab.settings)
        assert not folder.exists(), "it was left behind"
    assert found(admin.http, lab)["state"] == "waiting"
    assert try_waiting(lab.sessions, lab.settings) == 0
    row = found(admin.http, lab)
    assert (row["state"], row["trouble"]) == ("failed", service.WITHOUT_A_WORD)
