"""Scoring that is disturbed is parked; what the scorer says it cannot score ends the evaluation, with its sentence."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, update

from evaluator.verdicts import PlatformFault
from server.database import unit_of_work
from server.errors import Conflict
from server.evaluations import scoring
from server.evaluations.models import Evaluation
from tests.server.lab import Entrant, Lab
from tests.server.seeded import report

MakeEntrant = Callable[[str], Entrant]
SENTENCE = "task5: exit code 2: entry 1: its reference label map holds values that are not whole numbers"
REPORT = {"task5": report("task5")}


def in_scoring(lab: Lab, entrant: Entrant) -> str:
    """An evaluation that waits for its scores."""
    evaluation = entrant.submit()
    lab.worker().drain()
    assert entrant.evaluation(evaluation)["status"] == "scoring"
    return evaluation


def turn(lab: Lab, evaluation: str, name: str) -> None:
    """Lets a time of the evaluation be over on the database's clock."""
    past = func.clock_timestamp() - timedelta(seconds=1)
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Evaluation).where(Evaluation.id == UUID(evaluation)).values({name: past}))


def claimed(lab: Lab) -> tuple[UUID, int] | None:
    with unit_of_work(lab.sessions) as session:
        found = scoring.claim(session)
        return None if found is None else (found.id, found.scoring_claim_no)


def fail(lab: Lab, evaluation: str, fault: PlatformFault, detail: str = SENTENCE) -> None:
    """A score worker takes the evaluation, after whatever pause, and fails."""
    turn(lab, evaluation, "scoring_not_before")
    claim = claimed(lab)
    assert claim is not None
    assert claim[0] == UUID(evaluation)
    with unit_of_work(lab.sessions) as session:
        scoring.fail(session, *claim, fault, detail)


def score_another(lab: Lab, entrant: Entrant) -> None:
    in_scoring(lab, entrant)
    claim = claimed(lab)
    assert claim is not None
    with unit_of_work(lab.sessions) as session:
        evaluation = session.get_one(Evaluation, claim[0])
        evaluation.move_to(session, scoring.EvaluationStatus.SCORED, actor="tests")


def test_what_cannot_be_scored_ends_at_a_second_look_and_keeps_the_scorers_sentence(
    lab: Lab, team: Entrant
) -> None:
    evaluation = in_scoring(lab, team)
    fail(lab, evaluation, PlatformFault.SCORER_FAILED)
    assert team.evaluation(evaluation)["status"] == "scoring"
    assert claimed(lab) is None, "it pauses"
    fail(lab, evaluation, PlatformFault.SCORER_FAILED)
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["reason_code"]) == ("errored", "scorer_failed")
    assert "label map" not in str(seen)
    assert team.quota()["spent"] == team.quota()["reserved"] == 0
    assert {run.status for run in lab.runs(evaluation)} == {"done"}
    with unit_of_work(lab.sessions) as session:
        assert session.get_one(Evaluation, UUID(evaluation)).trouble == f"It cannot be scored: {SENTENCE}"


def test_a_scorer_that_is_disturbed_again_and_again_waits(lab: Lab, team: Entrant) -> None:
    evaluation = in_scoring(lab, team)
    for _ in range(5):
        fail(lab, evaluation, PlatformFault.SCORER_LOST, "task5: ended by SIGKILL: ")
    seen = team.evaluation(evaluation)
    assert seen["status"] == "scoring"
    assert seen["note"].startswith("Waits: the platform is disturbed")
    assert "SIGKILL" not in str(seen)
    fail(lab, evaluation, PlatformFault.SCORER_FAILED)
    assert team.evaluation(evaluation)["status"] == "scoring", (
        "what it says for the first time is looked at again"
    )


@pytest.mark.parametrize("others", [False, True])
def test_a_score_worker_that_dies_each_time_is_held_against_it_only_where_others_are_scored(
    lab: Lab, entrant: MakeEntrant, team: Entrant, others: bool
) -> None:
    evaluation = in_scoring(lab, team)
    for number in range(3):
        turn(lab, evaluation, "scoring_not_before")
        assert claimed(lab) is not None
        if others:
            score_another(lab, entrant(f"Other {number}"))
        turn(lab, evaluation, "scoring_lease_until")
        assert claimed(lab) is None
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["reason_code"]) == (
        ("errored", "scorer_lost") if others else ("scoring", None)
    )


def test_a_score_worker_keeps_what_it_renews_and_writes_nothing_once_it_lost_it(
    lab: Lab, team: Entrant
) -> None:
    evaluation = in_scoring(lab, team)
    old = claimed(lab)
    assert old is not None
    with unit_of_work(lab.sessions) as session:
        scoring.renew(session, *old)
    assert claimed(lab) is None
    turn(lab, evaluation, "scoring_lease_until")
    assert claimed(lab) is None, "it pauses first"
    turn(lab, evaluation, "scoring_not_before")
    new = claimed(lab)
    assert new == (old[0], old[1] + 1)
    with unit_of_work(lab.sessions) as session:
        with pytest.raises(Conflict):
            scoring.renew(session, *old)
        with pytest.raises(Conflict):
            scoring.settle(session, *old, REPORT, scored_with={}, settings=lab.settings)
        scoring.fail(session, *old, PlatformFault.SCORER_FAILED, SENTENCE)
        scoring.fail(session, *old, PlatformFault.SCORER_FAILED, SENTENCE)
    assert team.evaluation(evaluation)["status"] == "scoring"
