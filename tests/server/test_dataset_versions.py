"""Versions of the cases: which is in force is said and asked, can be undone, and costs nobody an attempt."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.models import (
    DATASET_MOVES,
    Dataset,
    DatasetState,
)
from server.datasets.service import current_dataset
from server.errors import Conflict
from server.evaluations import scoring
from server.evaluations.models import Evaluation
from server.moves import IllegalMove
from server.settings import Settings
from server.versions import service as versions
from server.versions.service import import_fomo
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, board_of, correct, short, words
from tests.server.phantoms import FOMO26, phantom
from tests.server.test_leaderboard import scored


@pytest.fixture(scope="module")
def fomo26() -> Challenge:
    """With a probe that fits four cases per cohort."""
    return FOMO26


def test_every_state_has_its_moves_and_no_other(session: Session, lab: Lab) -> None:
    assert set(DATASET_MOVES) == set(DatasetState)
    dataset = session.scalars(select(Dataset)).first()
    assert dataset is not None
    for old in DatasetState:
        for new in set(DatasetState) - DATASET_MOVES[old]:
            dataset.state = old.value
            with pytest.raises(IllegalMove):
                dataset.move_to(session, new, actor="tests")
    session.rollback()


def test_two_versions_are_never_in_force(sessions: SessionFactory, lab: Lab) -> None:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, lab.slug)
        place = {"challenge_id": challenge.id, "phase": "validation", "task": "task5"}
        session.add(Dataset(**place, digest="sha256:other", folder="x"))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()


def test_what_corrects_a_label_asks_says_what_happens_and_can_be_undone(
    imported: Callable[..., Result],
    command: Admin,
    lab: Lab,
    team: Entrant,
    nobody: Any,
    sessions: SessionFactory,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path, "task5")
    assert imported(made).exit_code == 0
    first = short(sessions, lab.slug)
    scored(lab, team, 0.9)
    assert "task5" in board_of(lab, nobody)
    correct(made)

    refused = imported(made)
    assert refused.exit_code == 1
    assert "1 case with another label: sub-01" in words(refused)
    assert "1 scored evaluation no longer counts, and 1 attempt is given back" in words(refused)
    assert "--yes" in refused.output
    assert short(sessions, lab.slug) == first
    assert "task5" in board_of(lab, nobody)
    assert team.quota()["spent"] == 1

    taken = imported(made, "--yes")
    assert taken.exit_code == 0, taken.output
    second = short(sessions, lab.slug)
    assert second != first
    until = time.monotonic() + 10  # the server hears of a command's commit moments later
    while "task5" in board_of(lab, nobody):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert team.quota()["spent"] == 0, "the organizers' change costs nobody an attempt"

    correct(made, label="1")
    again = imported(made)
    assert again.exit_code == 1
    assert f"{first} is an earlier version of the cases" in words(again)
    assert "1 scored evaluation counts again" in words(again)
    assert short(sessions, lab.slug) == second
    back = imported(made, "--yes")
    assert (back.exit_code, "in force again" in back.output) == (0, True)
    assert short(sessions, lab.slug) == first
    until = time.monotonic() + 10  # the server hears of a command's commit moments later
    while "task5" not in board_of(lab, nobody):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert team.quota()["spent"] == 1
    assert "unchanged" in imported(made).output

    assert command("activate-dataset", second, "--challenge", lab.slug, "--yes").exit_code == 0
    assert short(sessions, lab.slug) == second


def test_what_waits_keeps_its_cases_and_costs_no_attempt_once_they_are_changed(
    imported: Callable[..., Result], lab: Lab, team: Entrant, nobody: Any, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    evaluation = team.submit()
    worker = lab.worker()
    running = worker.take()
    correct(made)
    refused = imported(made)
    assert "1 evaluation that waits or runs keeps the cases it has" in words(refused)
    assert imported(made, "--yes").exit_code == 0
    seen = team.evaluation(evaluation)
    assert "earlier version of the cases" in seen["note"]
    assert team.quota()["reserved"] == 1
    worker.finish(running)
    worker.drain()
    end(lab, evaluation)
    seen = team.evaluation(evaluation)
    assert seen["status"] == "scored"
    assert "Scored on an earlier version of the cases" in seen["note"]
    assert "spends no attempt" in seen["note"]
    assert (team.quota()["spent"], team.quota()["reserved"]) == (0, 0)
    assert "task5" not in board_of(lab, nobody)


def end(lab: Lab, evaluation: str) -> None:
    """The evaluation is scored."""
    with unit_of_work(lab.sessions) as session:
        claimed = scoring.claim(session)
        assert claimed is not None
        assert str(claimed.id) == evaluation
        claimed.move_to(session, EvaluationStatus.SCORED, actor="tests")


def test_an_import_that_touches_nobody_asks_nothing(
    imported: Callable[..., Result], lab: Lab, sessions: SessionFactory, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task3")
    assert "imported, 4 cases" in imported(made).output
    correct(made, label="55")
    changed = imported(made)
    assert (changed.exit_code, "imported, 4 cases" in changed.output) == (0, True)
    assert "1 case with another label: sub-01" in words(changed)


def test_activations_at_once_leave_one_version_in_force(
    lab: Lab, sessions: SessionFactory, settings: Settings
) -> None:
    ids = [lab.dataset("task3") for _ in range(4)]

    def activate(dataset: UUID) -> None:
        with unit_of_work(sessions) as session:
            one = versions.get_version(session, dataset)
            if one.state != DatasetState.ACTIVE.value:
                versions.activate(session, one, settings=settings, actor="tests")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(activate, ids[:3]))
    with unit_of_work(sessions) as session:
        states = [session.get_one(Dataset, one).state for one in ids]
    assert sorted(states) == ["active", "superseded", "superseded", "superseded"]


def test_a_version_is_not_dropped_under_a_submission(
    lab: Lab, team: Entrant, sessions: SessionFactory, settings: Settings
) -> None:
    old = lab.dataset()
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, lab.slug)
        kept = current_dataset(session, challenge, "validation", "task5", keep=True)
        assert kept.id == old
        lab.dataset()
        with unit_of_work(sessions) as other:
            other.connection().exec_driver_sql("SET LOCAL lock_timeout = '200ms'")
            dataset = versions.get_version(other, old)
            with pytest.raises(OperationalError, match="lock timeout"):
                versions.drop(other, dataset, settings=settings, actor="tests")
            other.rollback()
        session.rollback()


def test_of_a_drop_and_an_activation_at_once_the_later_is_refused(
    lab: Lab, sessions: SessionFactory, settings: Settings
) -> None:
    settings.references.mkdir(parents=True, exist_ok=True)
    old = lab.dataset("task3")
    lab.dataset("task3")

    def activate() -> str:
        try:
            with unit_of_work(sessions) as session:
                versions.activate(
                    session, versions.get_version(session, old), settings=settings, actor="tests"
                )
        except Conflict as problem:
            return problem.code
        return "in force"

    with ThreadPoolExecutor(1) as pool:
        with unit_of_work(sessions) as session:
            versions.drop(session, versions.get_version(session, old), settings=settings, actor="tests")
            session.flush()
            later = pool.submit(activate)
            with pytest.raises(TimeoutError):
                later.result(1)
        assert later.result(30) == "dataset_dropped"
    with unit_of_work(sessions) as session:
        assert session.get_one(Dataset, old).state == DatasetState.DROPPED.value


def test_the_boards_of_other_tasks_and_phases_stay(
    imported: Callable[..., Result], lab: Lab, team: Entrant, nobody: Any, tmp_path: Path
) -> None:
    scored(lab, team, 0.9)
    lab.dataset(phase="test")
    lab.dataset("task3")
    assert "task5" in board_of(lab, nobody)
    assert team.quota()["spent"] == 1


def test_imports_of_one_folder_at_once_make_one_version(
    settings: Settings, lab: Lab, sessions: SessionFactory, tmp_path: Path
) -> None:
    made = phantom(tmp_path, "task3")

    def bring(number: int) -> UUID:
        with unit_of_work(sessions) as session:
            challenge = get_challenge(session, lab.slug)
            place = {"phase": "validation", "task": "task3", "source": made.root, "settings": settings}
            return import_fomo(session, challenge, **place, actor=f"tests {number}")[0].id

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(bring, range(3)))) == 1
    assert len(list((settings.inputs / lab.slug / "validation" / "task3").iterdir())) == 1


def test_a_submission_runs_on_the_version_in_force_however_it_came_there(
    imported: Callable[..., Result],
    lab: Lab,
    team: Entrant,
    command: Admin,
    sessions: SessionFactory,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path, "task5")
    imported(made)
    first = short(sessions, lab.slug)
    correct(made)
    imported(made)
    command("activate-dataset", first, "--challenge", lab.slug)
    evaluation = team.submit()
    with unit_of_work(sessions) as session:
        used = session.get_one(Evaluation, UUID(evaluation)).dataset
        assert used.digest[7:19] == first
