"""States, verdicts and the moves of an evaluation."""

from itertools import product

import pytest
from sqlalchemy.orm import Session

from contract.statuses import CaseStatus, EvaluationStatus
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.status import ACTIVE, CASE_MOVES, EVALUATION_MOVES, UNDER_WAY
from server.ids import new_id
from server.moves import IllegalMove
from tests.server.lab import Entrant, Lab


def test_the_tables_of_moves_cover_every_state() -> None:
    assert set(EVALUATION_MOVES) == set(EvaluationStatus)
    assert set(CASE_MOVES) == set(CaseStatus)
    going_on = {state for state in EvaluationStatus if EVALUATION_MOVES[state]}
    assert going_on == {*ACTIVE, EvaluationStatus.ERRORED}, "of those that ended one alone can be retried"
    assert set(UNDER_WAY) == set(CaseStatus) - {CaseStatus.DONE, CaseStatus.DROPPED}


@pytest.mark.parametrize(("old", "new"), list(product(EvaluationStatus, EvaluationStatus)))
def test_an_evaluation_moves_as_the_table_says_and_not_otherwise(
    old: EvaluationStatus, new: EvaluationStatus, session: Session
) -> None:
    evaluation = Evaluation(id=new_id(), status=old.value)
    if new in EVALUATION_MOVES[old]:
        evaluation.move_to(session, new, actor="tests")
        assert evaluation.status == new
    else:
        with pytest.raises(IllegalMove, match=f"{old} → {new}"):
            evaluation.move_to(session, new, actor="tests")
        assert evaluation.status == old


@pytest.mark.parametrize(("old", "new"), list(product(CaseStatus, CaseStatus)))
def test_a_case_run_moves_as_the_table_says_and_not_otherwise(
    old: CaseStatus, new: CaseStatus, session: Session
) -> None:
    run = CaseRun(id=new_id(), status=old.value, claim_no=1)
    if new in CASE_MOVES[old]:
        run.move_to(session, new, actor="tests")
        assert run.status == new
    else:
        with pytest.raises(IllegalMove, match=f"{old} → {new}"):
            run.move_to(session, new, actor="tests")


def test_the_first_three_cases_gate_the_rest(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    first = [worker.take() for _ in range(3)]
    assert worker.lease() is None, "the rest waits"
    for lease, fault in zip(first, ["timeout", "exit_code"], strict=False):
        worker.finish(lease, fault=fault)
    assert worker.lease() is None, "the third is still under way"
    worker.finish(first[2])
    assert worker.drain() == 2
    assert team.evaluation(evaluation)["status"] == "scoring"


def test_when_the_first_cases_all_fail_the_rest_never_runs(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    assert worker.drain(fault="output_invalid", check="shape") == 3
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["reason_code"]) == ("rejected", "all_failed")
    assert seen["reason"].startswith("The first 3 cases failed, most often by output_invalid:shape.")
    assert (seen["failure"], seen["verdicts"]) == ("output_invalid:shape", {})
    assert [run.status for run in lab.runs(evaluation)] == ["done"] * 3 + ["dropped"] * 2
    assert team.quota()["left"] == 3


def test_every_case_of_a_small_dataset_may_be_among_the_first(lab: Lab, team: Entrant) -> None:
    lab.dataset(cases=2)
    evaluation, worker = team.submit(), lab.worker()
    assert worker.drain(fault="timeout") == 2
    reason = team.evaluation(evaluation)["reason"]
    assert reason.startswith("Every case failed, most often by timeout.")
    assert "the time limit for one case was over (limit: 120 s)." in reason


def test_failures_on_public_cases_are_told_one_by_one(lab: Lab, team: Entrant) -> None:
    lab.dataset(phase="sanity", cases=3)
    evaluation, worker = team.submit(phase="sanity"), lab.worker()
    for fault in ("timeout", "timeout", "exit_code"):
        worker.finish(worker.take(), fault=fault)
    seen = team.evaluation(evaluation)
    assert (seen["failure"], seen["verdicts"]) == ("timeout", {"timeout": 2, "exit_code": 1})
    assert "timeout (2 of 3)" in seen["reason"]
    assert "exit_code (1 of 3)" in seen["reason"]


def test_a_cancelled_evaluation_gives_its_attempt_back_and_its_leases_up(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    lease = worker.take()
    assert team.http.post(f"/evaluations/{evaluation}/cancel").json()["status"] == "cancelled"
    assert worker.heartbeat(lease) == 409
    assert worker.lease() is None
    assert team.quota()["left"] == 3
    assert team.http.post(f"/evaluations/{evaluation}/cancel").json()["code"] == "already_ended"


def test_hidden_cases_are_counted_only_once_the_evaluation_has_ended(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    worker.finish(worker.take(), fault="timeout")
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["verdicts"]) == ("running", {})
    worker.drain()
    assert team.evaluation(evaluation)["verdicts"] == {}, "scores are still to come"
    assert team.http.get(f"/evaluations/{evaluation}/cases").json()["code"] == "hidden_cases"


def test_public_cases_are_shown_by_name_with_their_logs(lab: Lab, team: Entrant) -> None:
    lab.dataset(phase="sanity", cases=2)
    evaluation, worker = team.submit(phase="sanity"), lab.worker()
    worker.finish(worker.take(), fault="exit_code")
    seen = team.evaluation(evaluation)
    assert (seen["progress"], seen["verdicts"]) == (5, {"exit_code": 1})
    cases = team.http.get(f"/evaluations/{evaluation}/cases").json()
    assert {case["case"] for case in cases} == {"sub-00", "sub-01"}
