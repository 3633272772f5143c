"""What the platform failed at, for organizers: evaluations that are ERRORED, and those that wait for a fault to end."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from contract.ids import ChallengeId, EvaluationId
from contract.problems import ErrorCode
from contract.statuses import CaseStatus, EvaluationStatus
from server.challenges.models import Challenge
from server.errors import NotFound
from server.evaluations.models import CaseRun, Evaluation, Trouble
from server.evaluations.status import HAS_CASES
from server.teams.models import Team

STALLED = (
    "Waits: the platform is disturbed, or was when this image was last tried. It tries again by itself; nothing is "
    "lost, and no attempt is spent by it. The organizers see it in their list of errors."
)
"""What its team is told of an evaluation that waits for nothing but the end of a pause."""
MOST = 1000
Within = Collection[ChallengeId] | None
"""Challenges that are meant; None for all."""
_SEE = "see 'proctor-admin errors'"


@dataclass(frozen=True)
class Failed:
    """An evaluation that met faults of the platform, and what is known of them.

    `done`: cases with a verdict, of `total`; `parked`: cases that wait for a pause to end. `since`: when it met the
    first fault since it was last retried; `last`: the last one.
    """

    evaluation: Evaluation
    challenge: str
    team: str
    done: int
    parked: int
    total: int
    since: datetime | None
    last: Trouble | None


def errored(
    session: Session, *, challenge: str | None = None, since: datetime | None = None, within: Within = None
) -> list[Failed]:
    """The evaluations that ended as ERRORED and were not retried, the latest first; at most MOST of them.

    within: only of these challenges.

    Raises:
        NotFound: there is no such challenge.
    """
    ended = Evaluation.status == EvaluationStatus.ERRORED
    query = (
        _of(session, challenge, within)
        .where(ended)
        .order_by(Evaluation.finished_at.desc(), Evaluation.id.desc())
    )
    return _failed(session, query if since is None else query.where(Evaluation.finished_at >= since))


def parked(session: Session, *, challenge: str | None = None, within: Within = None) -> list[Failed]:
    """The evaluations with cases that are parked, or that wait for their scoring to be tried again; oldest first.

    within: only of these challenges.

    Raises:
        NotFound: there is no such challenge.
    """
    case = exists().where(CaseRun.evaluation_id == Evaluation.id, CaseRun.status == CaseStatus.PARKED)
    active = Evaluation.status.in_(HAS_CASES)
    waits = or_(and_(active, case), _scoring_waits())
    query = _of(session, challenge, within).where(waits)
    return _failed(session, query.order_by(Evaluation.created_at, Evaluation.id))


def _scoring_waits() -> ColumnElement[bool]:
    return and_(
        Evaluation.status == EvaluationStatus.SCORING,
        Evaluation.scoring_not_before > func.clock_timestamp(),
    )


def headline(session: Session) -> str | None:
    """One sentence on what became ERRORED in the last day and what is parked now; None if nothing is."""
    lately = func.now() - func.make_interval(0, 0, 0, 1)
    ended = select(func.count()).where(
        Evaluation.status == EvaluationStatus.ERRORED, Evaluation.finished_at > lately
    )
    count, waits = session.scalar(ended) or 0, parked_sentence(session)
    parts = [f"errored in the last day: {_number(count, 'evaluation')}"] if count else []
    return "; ".join([*parts, *([waits] if waits else []), _SEE]) if parts or waits else None


def parked_sentence(session: Session) -> str | None:
    """How much is parked, since when and because of what; None if nothing is."""
    waits = parked(session)
    if not waits:
        return None
    first = min((wait.since for wait in waits if wait.since), default=None)
    last = max(
        (wait.last for wait in waits if wait.last), key=lambda trouble: trouble.created_at, default=None
    )
    said = f"parked: {' and '.join(_what_waits(waits))}"
    said += f", since {first:%Y-%m-%d %H:%M} UTC" if first else ""
    return said + (f", because of {last.code}" if last else "")


def _what_waits(waits: Sequence[Failed]) -> Iterator[str]:
    cases = [wait.parked for wait in waits if wait.parked]
    if cases:
        yield f"{_number(sum(cases), 'case')} of {_number(len(cases), 'evaluation')}"
    if scorings := len(waits) - len(cases):
        yield f"the scoring of {_number(scorings, 'evaluation')}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def stalled(session: Session, evaluation_ids: Collection[EvaluationId]) -> set[EvaluationId]:
    """Those of the evaluations that wait for nothing but the end of a pause after a fault of the platform."""
    if not evaluation_ids:
        return set()
    own = CaseRun.evaluation_id == Evaluation.id
    may_run = or_(Evaluation.cleared, CaseRun.position < Evaluation.first_cases)
    able = or_(CaseRun.status == CaseStatus.RUNNING, and_(CaseRun.status == CaseStatus.WAITING, may_run))
    waits = exists().where(own, CaseRun.status == CaseStatus.PARKED) & ~exists().where(own, able)
    query = select(Evaluation.id).where(Evaluation.id.in_(evaluation_ids), or_(waits, _scoring_waits()))
    return set(session.scalars(query))


def _of(session: Session, challenge: str | None, within: Within) -> Select[Evaluation, str, str]:
    query = (
        select(Evaluation, Challenge.slug, Team.name)
        .join(Challenge, Challenge.id == Evaluation.challenge_id)
        .join(Team, Team.id == Evaluation.team_id)
        .limit(MOST)
    )
    if within is not None:
        query = query.where(Evaluation.challenge_id.in_(within))
    if challenge is None:
        return query
    if session.scalar(select(Challenge.id).where(Challenge.slug == challenge)) is None:
        there = ", ".join(sorted(session.scalars(select(Challenge.slug)))) or "none"
        raise NotFound(
            ErrorCode.UNKNOWN_CHALLENGE, f"There is no challenge {challenge!r}. There are: {there}."
        )
    return query.where(Challenge.slug == challenge)


def _failed(session: Session, query: Select[Evaluation, str, str]) -> list[Failed]:
    rows = session.execute(query).all()
    ids = [evaluation.id for evaluation, _, _ in rows]
    counts, troubles = _counts(session, ids), _troubles(session, ids)
    found = []
    for evaluation, slug, team in rows:
        met = troubles.get(evaluation.id, [])
        since = next(
            (trouble.created_at for trouble in met if trouble.counts), met[-1].created_at if met else None
        )
        last = met[-1] if met else None
        found.append(Failed(evaluation, slug, team, *counts[evaluation.id], since=since, last=last))
    return found


def _counts(session: Session, ids: Sequence[EvaluationId]) -> dict[EvaluationId, tuple[int, int, int]]:
    rows = session.execute(
        select(
            CaseRun.evaluation_id,
            func.count().filter(CaseRun.status == CaseStatus.DONE),
            func.count().filter(CaseRun.status == CaseStatus.PARKED),
            func.count(),
        )
        .where(CaseRun.evaluation_id.in_(ids))
        .group_by(CaseRun.evaluation_id)
    )
    return {evaluation_id: (done, waiting, total) for evaluation_id, done, waiting, total in rows}


def _troubles(session: Session, ids: Sequence[EvaluationId]) -> dict[EvaluationId, list[Trouble]]:
    """The faults that each evaluation met, oldest first."""
    query = select(Trouble).where(Trouble.evaluation_id.in_(ids))
    found: dict[EvaluationId, list[Trouble]] = {}
    for trouble in session.scalars(query.order_by(Trouble.created_at, Trouble.id)):
        found.setdefault(trouble.evaluation_id, []).append(trouble)
    return found
