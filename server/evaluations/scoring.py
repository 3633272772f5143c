"""The score worker's side of an evaluation: claim, settle with reports and a signed receipt, or fail.

A scorer that is killed, or finds no disk or database, is disturbed: the evaluation is parked and scored later. One that
says what it cannot score says so again, so a second time ends the evaluation as ERRORED, with its sentence.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text
from sqlalchemy.orm import Session

from contract.ids import DatasetId, EvaluationId, SpecVersionId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from evaluator.bases import scoring_base
from evaluator.scoring import Report
from evaluator.spec import Challenge as Spec
from evaluator.verdicts import PlatformFault
from evaluator.version import evaluator_version
from server.challenges.models import Challenge
from server.challenges.service import of_these
from server.errors import Conflict
from server.evaluations import receipts, suspicion
from server.evaluations.faults import NOT_SCORED, give_up
from server.evaluations.models import Evaluation, Trouble
from server.evaluations.reports import store
from server.evaluations.result_models import Receipt
from server.evaluations.service import COUNTED, lock_evaluation, reject
from server.events import PLATFORM
from server.settings import Settings

LEASE = timedelta(minutes=2)
"""For so long an evaluation is a score worker's, from each time that it renews it."""
WITHOUT_ROOM = timedelta(minutes=1)
"""So long scoring waits for room on the disk before it is tried again."""
REFUSALS = 2
"""So often the scorer has to say what it cannot score, for it may have read a disk that was not right yet."""
_WITHOUT_A_WORD = "The score worker that had it ended without a word."
RUN_INVALID = (
    "The outputs as a whole cannot be scored: the embeddings of a run must be there for every case that the probe is "
    f"trained on, and all have the same width. {COUNTED}"
)
"""What is told of hidden cases: the report's sentence has counts and widths, which an image can choose."""


@dataclass(frozen=True)
class Alike:
    """Evaluations that are scored on the same references in the same way, so that a scorer can keep both."""

    spec_version: SpecVersionId
    dataset: DatasetId
    task: str

    @classmethod
    def to(cls, evaluation: Evaluation) -> "Alike":
        """Those that are like this one."""
        return cls(evaluation.spec_version_id, evaluation.dataset_id, evaluation.task)

    @property
    def condition(self) -> ColumnElement[bool]:
        """Of an evaluation: whether it is one of them."""
        return and_(
            Evaluation.spec_version_id == self.spec_version,
            Evaluation.dataset_id == self.dataset,
            Evaluation.task == self.task,
        )


def claim(
    session: Session, *, alike: Alike | None = None, challenges: Collection[str] = ()
) -> Evaluation | None:
    """The evaluation that is to be scored next, leased to the caller; of these `challenges` alone where some are named.

    It is of those with the highest priority the one that has waited longest: with `alike` of these, if one waits.
    """
    while (evaluation := _next(session, alike, challenges)) is not None:
        if evaluation.scoring_lease_until is None:
            evaluation.scoring_claim_no += 1
            evaluation.scoring_lease_until = func.clock_timestamp() + LEASE
            session.flush()
            return evaluation
        _park(session, evaluation, PlatformFault.SCORER_LOST, _WITHOUT_A_WORD)
    return None


def are_waiting(session: Session, alike: Alike) -> bool:
    """Whether evaluations wait for their scores, with nobody at work on them, that are like those."""
    return bool(session.scalar(select(exists().where(*_waiting(), alike.condition))))


def _waiting() -> Iterator[ColumnElement[bool]]:
    clock = func.clock_timestamp()
    yield Evaluation.status == EvaluationStatus.SCORING
    yield or_(Evaluation.scoring_lease_until.is_(None), Evaluation.scoring_lease_until < clock)
    yield or_(Evaluation.scoring_not_before.is_(None), Evaluation.scoring_not_before <= clock)


def _next(session: Session, alike: Alike | None, challenges: Collection[str]) -> Evaluation | None:
    first = [] if alike is None else [alike.condition.desc()]
    return session.scalar(
        select(Evaluation)
        .where(*_waiting(), of_these(Evaluation.challenge_id, challenges))
        .order_by(Evaluation.priority.desc(), *first, Evaluation.created_at, Evaluation.id)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True),
        execution_options={"populate_existing": True},
    )


def renew(session: Session, evaluation_id: EvaluationId, claim_no: int) -> None:
    """Keeps an evaluation for its score worker.

    Raises:
        Conflict: another has taken it, or it has ended.
    """
    _locked(session, evaluation_id, claim_no).scoring_lease_until = func.clock_timestamp() + LEASE


def bases(spec: Spec, task: str) -> dict[str, Any]:
    """How the boards of a task are scored here and now, by board: what is kept with an evaluation."""
    return {board: scoring_base(spec, board) for board in spec.boards_of(task)}


def settle(
    session: Session,
    evaluation_id: EvaluationId,
    claim_no: int,
    reports: Mapping[str, Report],
    *,
    scored_with: Mapping[str, Any],
    settings: Settings,
) -> None:
    """Stores what scoring made, whole: SCORED with a receipt, or REJECTED with the report's reason.

    scored_with: what `bases` was when the reports were made.

    Raises:
        Conflict: another score worker has taken the evaluation, or it was cancelled.
    """
    _hold_still(session, evaluation_id)
    evaluation = _locked(session, evaluation_id, claim_no)
    evaluation.evaluator_version = evaluator_version()
    evaluation.scored_with = dict(scored_with)
    store(session, evaluation_id, reports)
    refused = next((report.rejected for report in reports.values() if report.rejected is not None), None)
    if refused is not None:
        why = RUN_INVALID if evaluation.is_hidden else refused
        reject(session, evaluation, actor=PLATFORM, code="run_invalid", why=why)
        return
    statement = receipts.statement(evaluation, reports, source=_source(session, evaluation))
    signature = receipts.sign(statement, settings)
    session.add(Receipt(evaluation_id=evaluation_id, statement=statement, signature=signature))
    evaluation.move_to(session, EvaluationStatus.SCORED, actor=PLATFORM)


_SOURCE = text("SELECT source_commit, source_clean FROM submissions WHERE id = :submission")


def _source(session: Session, evaluation: Evaluation) -> dict[str, Any] | None:
    commit, clean = session.execute(_SOURCE, {"submission": evaluation.submission_id}).one()
    return None if commit is None else {"commit": commit, "clean": clean}


def _hold_still(session: Session, evaluation_id: EvaluationId) -> None:
    """From here to the end of the unit of work no re-evaluation is applied to its challenge: none lands in between."""
    own = select(Evaluation.challenge_id).where(Evaluation.id == evaluation_id).scalar_subquery()
    session.execute(select(Challenge.id).where(Challenge.id == own).with_for_update(read=True))


def fail(
    session: Session, evaluation_id: EvaluationId, claim_no: int, fault: PlatformFault, detail: str
) -> None:
    """Scoring failed by our fault: again after a pause, or ERRORED where that would bring the same.

    fault: SCORER_FAILED where the scorer itself said what it cannot score, SCORER_LOST where it was disturbed.
    detail: the reason in its words, for admins.
    """
    try:
        evaluation = _locked(session, evaluation_id, claim_no)
    except Conflict:
        return  # somebody else's by now
    _park(session, evaluation, fault, detail)


def put_back(session: Session, evaluation_id: EvaluationId, claim_no: int) -> None:
    """Scoring waits a minute because the disk has no room for it, or the blobs are away: held against nobody."""
    try:
        evaluation = _locked(session, evaluation_id, claim_no)
    except Conflict:
        return  # somebody else's by now
    evaluation.scoring_lease_until = None
    evaluation.scoring_not_before = func.clock_timestamp() + WITHOUT_ROOM


def _park(session: Session, evaluation: Evaluation, fault: PlatformFault, detail: str) -> None:
    evaluation.scoring_faults += 1
    evaluation.scoring_lease_until = None
    pause = timedelta(seconds=suspicion.pause_after(evaluation.scoring_faults))
    evaluation.scoring_not_before = func.clock_timestamp() + pause
    session.add(Trouble(evaluation_id=evaluation.id, image_id=evaluation.image_id, code=fault, detail=detail))
    session.flush()
    blamed = _refused(session, evaluation, fault) or suspicion.of_scoring(session, evaluation)
    if blamed is not None:
        give_up(session, evaluation, actor=PLATFORM, code=fault, why=NOT_SCORED, trouble=f"{blamed} {detail}")


def _refused(session: Session, evaluation: Evaluation, fault: PlatformFault) -> str | None:
    refusals = select(func.count()).where(
        Trouble.evaluation_id == evaluation.id,
        Trouble.case_run_id.is_(None),
        Trouble.code == PlatformFault.SCORER_FAILED,
        Trouble.counts,
    )
    if fault is not PlatformFault.SCORER_FAILED or (session.scalar(refusals) or 0) < REFUSALS:
        return None
    return "It cannot be scored:"


def _locked(session: Session, evaluation_id: EvaluationId, claim_no: int) -> Evaluation:
    evaluation = lock_evaluation(session, evaluation_id)
    if evaluation.scoring_claim_no != claim_no or evaluation.status != EvaluationStatus.SCORING:
        raise Conflict(ErrorCode.SCORING_LOST, "This evaluation is not yours to score any more.")
    return evaluation
