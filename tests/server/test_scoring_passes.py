"""Evaluations that are scored in one pass: in which order, by which process, and what harms one of them alone."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from evaluator.scoring import Report
from server.database import unit_of_work
from server.evaluations import scoring, service
from server.evaluations.models import Evaluation
from server.evaluations.reports import stored
from server.evaluations.scoring import Alike
from tests.server.lab import Entrant, Lab
from tests.server.test_scoring_worker import LABELS, write_references
from worker.score import evaluations
from worker.score.child import Scorer
from worker.score.evaluations import score_waiting

MakeEntrant = Callable[[str], Entrant]
LATER = func.clock_timestamp() + timedelta(hours=1)


def waiting(lab: Lab, entrant: Entrant, task: str = "task5", **columns: Any) -> str:
    """An evaluation that waits for its scores."""
    evaluation = entrant.submit(task)
    lab.worker().drain()
    with unit_of_work(lab.sessions) as session:
        session.execute(
            update(Evaluation).where(Evaluation.id == UUID(evaluation)).values({"priority": 0} | columns)
        )
    return evaluation


def row(lab: Lab, evaluation: str) -> Evaluation:
    with unit_of_work(lab.sessions) as session:
        return session.get_one(Evaluation, UUID(evaluation))


def by_end(lab: Lab, *given: str) -> list[str]:
    """These evaluations as they ended, one after the other."""
    ids = [UUID(one) for one in given]
    with unit_of_work(lab.sessions) as session:
        query = select(Evaluation.id).where(Evaluation.id.in_(ids), Evaluation.status == "scored")
        return [str(found) for found in session.scalars(query.order_by(Evaluation.finished_at))]


class Watched(Scorer):
    """Does something of a test before a board is scored, by its number, and keeps which process scored."""

    acts: dict[int, Callable[["Watched"], None]]
    scored: list[tuple[str, int | None]]

    def score(self, folder: Any, **arguments: Any) -> Report:
        self.acts.get(len(self.scored), lambda _: None)(self)
        self.scored.append((folder.name[:36], None))
        try:
            return super().score(folder, **arguments)
        finally:
            self.scored[-1] = folder.name[:36], self.pid


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    Watched.acts, Watched.scored = {}, []
    monkeypatch.setattr(evaluations, "Scorer", Watched)
    return Watched


def test_the_next_is_of_the_highest_priority_then_alike_then_the_oldest(
    lab: Lab, entrant: MakeEntrant
) -> None:
    lab.dataset("task3")
    one, two = entrant("One"), entrant("Two")
    first, other, later = waiting(lab, one), waiting(lab, one, "task3"), waiting(lab, two)
    last, urgent = waiting(lab, two, "task3", priority=-10), waiting(lab, two, "task3", priority=5)

    def next_of(alike: Alike | None) -> str:
        with unit_of_work(lab.sessions) as session:
            found = scoring.claim(session, alike=alike)
            assert found is not None
            return str(found.id)

    alike = Alike.to(row(lab, first))
    with unit_of_work(lab.sessions) as session:
        assert scoring.are_waiting(session, alike)
        assert scoring.are_waiting(session, Alike.to(row(lab, last)))
    assert [next_of(alike) for _ in range(5)] == [urgent, first, later, other, last]
    with unit_of_work(lab.sessions) as session:
        assert not scoring.are_waiting(session, alike)
        assert scoring.claim(session, alike=alike) is None


def test_one_process_scores_all_that_are_alike_and_what_befalls_one_of_them_is_its_own(
    lab: Lab, entrant: MakeEntrant, watched: type[Watched]
) -> None:
    teams = [entrant(name) for name in ("Ada", "Bob", "Cem", "Dan", "Eve")]
    cancelled, plain, broken, killed, last = found = [waiting(lab, team) for team in teams]
    write_references(lab, plain, LABELS)
    whole = row(lab, broken)
    with unit_of_work(lab.sessions) as session:  # its output is not what a run worker stored
        run = session.get_one(Evaluation, whole.id).runs[0]
        run.output = lab.settings.blobs.put(b"not a number")

    def cancel(_: Scorer) -> None:
        with unit_of_work(lab.sessions) as session:
            service.cancel(session, UUID(cancelled), actor="tests")

    def kill(scorer: Scorer) -> None:
        assert scorer.pid is not None
        os.kill(scorer.pid, signal.SIGKILL)
        with unit_of_work(lab.sessions) as session:  # however long the others take, its pause is longer
            session.get_one(Evaluation, UUID(broken)).scoring_not_before = LATER

    watched.acts = {0: cancel, 3: kill}
    assert score_waiting(lab.sessions, lab.settings) == 5
    assert [evaluation for evaluation, _ in watched.scored] == found, "each had its turn once, by arrival"
    first, second, third, fourth, fifth = (pid for _, pid in watched.scored)
    assert first == second == third is not None
    assert fourth is None, "it was scored alone"
    assert fifth not in (None, first)
    status = {name: row(lab, name).status for name in found}
    assert status == dict.fromkeys(found, "scored") | {cancelled: "cancelled", broken: "scoring"}
    assert row(lab, broken).scoring_faults == 1
    assert [row(lab, name).scoring_faults for name in (plain, killed, last)] == [0, 0, 0]
    assert not list(lab.settings.scratch.iterdir())
    with unit_of_work(lab.sessions) as session:
        reports = list(stored(session, [UUID(name) for name in (plain, killed, last)]).values())
    assert reports[0] == reports[1] == reports[2], "the same outputs"


def test_what_is_more_urgent_does_not_wait_for_the_end_of_a_pass(
    lab: Lab, entrant: MakeEntrant, watched: type[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.dataset("task3")
    teams = [entrant(name) for name in ("Ada", "Bob", "Cem")]
    again = [waiting(lab, team, priority=-10) for team in teams]
    new = waiting(lab, teams[0], "task3", scoring_not_before=LATER)
    for name in (again[0], new):
        write_references(lab, name, LABELS)

    def comes(_: Scorer) -> None:
        with unit_of_work(lab.sessions) as session:
            session.get_one(Evaluation, UUID(new)).scoring_not_before = None

    watched.acts = {0: comes}
    assert score_waiting(lab.sessions, lab.settings) == 4
    assert by_end(lab, new, *again) == [again[0], new, again[1], again[2]]
    assert len({pid for _, pid in watched.scored}) == 3, "other references, another process"

    monkeypatch.setattr(evaluations, "LONGEST_PASS", -1)
    first, other, last = waiting(lab, teams[0]), waiting(lab, teams[1], "task3"), waiting(lab, teams[1])
    assert score_waiting(lab.sessions, lab.settings) == 3
    assert by_end(lab, first, other, last) == [first, other, last]
