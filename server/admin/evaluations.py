"""Which evaluations there are and what became of one, as organizers and admins see them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload

from contract.admin import CaseShown, EvaluationRow, EvaluationShown, Page, ScoreShown
from contract.events import Subject
from contract.ids import EvaluationId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStanding, EvaluationStatus
from server.accounts.models import Account
from server.admin.pages import page_of
from server.audit.looks import Look, looked
from server.challenges.models import Challenge
from server.errors import NotFound
from server.evaluations.models import CaseRun, Evaluation
from server.ids import ids_between
from server.queue.waiting import Which, require_known
from server.submissions.models import Submission
from server.teams.models import Team
from server.teams.service import name_key


@dataclass(frozen=True)
class Wanted:
    """Which evaluations are meant; what is left out asks for nothing.

    `id` is the beginning of an evaluation's id, or of its submission's.
    """

    which: Which = field(default_factory=Which)
    status: EvaluationStatus | None = None
    since: datetime | None = None
    id: str | None = None
    standing: EvaluationStanding | None = None


def evaluations(
    session: Session, wanted: Wanted, *, after: UUID | None = None, limit: int = 50
) -> Page[EvaluationRow]:
    """The evaluations that are meant, newest first.

    Raises:
        NotFound: there is no such challenge, phase, track, task or team.
        BadRequest: the id is no beginning of one.
    """
    which = wanted.which
    require_known(session, which)
    query = select(Evaluation)
    if which.challenge is not None:
        query = query.join(Challenge, Challenge.id == Evaluation.challenge_id).where(
            Challenge.slug == which.challenge
        )
    if which.within is not None:
        query = query.where(Evaluation.challenge_id.in_(which.within))
    if which.team is not None:
        query = query.join(Team, Team.id == Evaluation.team_id).where(Team.name_key == name_key(which.team))
    for column, name in (
        (Evaluation.phase, which.phase),
        (Evaluation.track, which.track),
        (Evaluation.task, which.task),
        (Evaluation.status, wanted.status),
        (Evaluation.standing, wanted.standing),
    ):
        query = query if name is None else query.where(column == name)
    if wanted.since is not None:
        query = query.where(Evaluation.created_at >= wanted.since)
    if wanted.id is not None:
        ids = ids_between(wanted.id)
        query = query.where(or_(Evaluation.id.between(*ids), Evaluation.submission_id.between(*ids)))
    rows, following = page_of(session, query, Evaluation.id, after=after, limit=limit, newest_first=True)
    names = _names(session)
    return Page(items=[_row(row, names) for row in rows], next=following)


def _names(session: Session) -> dict[UUID, str]:
    """Names of all challenges and teams: far fewer than evaluations."""
    names = (select(Challenge.id, Challenge.slug), select(Team.id, Team.name))
    return {key: name for query in names for key, name in session.execute(query)}


def _row(evaluation: Evaluation, names: dict[UUID, str]) -> EvaluationRow:
    return EvaluationRow.of(evaluation, **_named(evaluation, names))


def _named(evaluation: Evaluation, names: dict[UUID, str]) -> dict[str, Any]:
    return {
        "submission": evaluation.submission_id,
        "replaces": evaluation.replaces_id,
        "challenge": names[evaluation.challenge_id],
        "team": names[evaluation.team_id],
    }


def shown(
    session: Session, evaluation_id: EvaluationId, *, names_to: str | None = None, with_cases: bool = True
) -> EvaluationShown:
    """One evaluation with its cases and scores; `names_to`: who reads the real names of its cases, which is recorded.

    with_cases: otherwise they are only counted, and nothing is read of each.

    Raises:
        NotFound: there is none.
    """
    named = [selectinload(Evaluation.runs).joinedload(CaseRun.case)] if names_to is not None else []
    evaluation = session.get(Evaluation, evaluation_id, options=named)
    if evaluation is None:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, "There is no such evaluation.")
    if names_to is not None:
        looked(session, Subject.EVALUATION, evaluation_id, Look.NAMES, actor=names_to)
    return EvaluationShown.of(
        evaluation,
        **_named(evaluation, _names(session)),
        submitted_by=_submitter(session, evaluation),
        image=evaluation.image.digest,
        image_bytes=evaluation.image.size,
        dataset=evaluation.dataset.digest,
        spec=evaluation.spec_version.digest,
        evaluator=evaluation.evaluator_version,
        verdicts=_verdicts(session, evaluation_id),
        cases=[_case(run, with_names=names_to is not None) for run in evaluation.runs] if with_cases else [],
        scores=[ScoreShown.of(score) for score in evaluation.scores],
    )


def _verdicts(session: Session, evaluation_id: EvaluationId) -> dict[str, int]:
    """How many cases have which verdict, or without one which status, in the order in which they run."""
    rows = session.execute(
        select(CaseRun.verdict, CaseRun.status, func.count())
        .where(CaseRun.evaluation_id == evaluation_id)
        .group_by(CaseRun.verdict, CaseRun.status)
        .order_by(func.min(CaseRun.position))
    )
    counts: Counter[str] = Counter()
    for verdict, status, count in rows:
        counts[verdict or status] += count
    return dict(counts)


def _submitter(session: Session, evaluation: Evaluation) -> str | None:
    account = session.scalar(
        select(Account)
        .join(Submission, Submission.created_by == Account.id)
        .where(Submission.id == evaluation.submission_id)
    )
    return None if account is None else f"{account.name} <{account.email}>"


def _case(run: CaseRun, *, with_names: bool) -> CaseShown:
    name = run.case.name if with_names else None
    return CaseShown.of(run, case=run.pseudonym, name=name, has_log=bool(run.log))
