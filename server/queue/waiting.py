"""What waits in the queue, as admins and organizers see it, and what they put first or last."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from contract.ids import ChallengeId, EvaluationId
from contract.problems import ErrorCode
from contract.queue import USUAL_PRIORITY
from server import events
from server.accounts.principals import Admin, User
from server.challenges.models import Challenge
from server.errors import Conflict, Forbidden, NotFound
from server.evaluations.models import Evaluation
from server.evaluations.status import HAS_CASES
from server.teams.models import Team
from server.teams.service import name_key


@dataclass(frozen=True)
class Which:
    """Evaluations that have cases to run; what is left out asks for nothing. `within`: of these challenges only."""

    challenge: str | None = None
    phase: str | None = None
    track: str | None = None
    task: str | None = None
    team: str | None = None
    ids: Collection[EvaluationId] = ()
    within: Collection[ChallengeId] | None = None


@dataclass(frozen=True)
class Waiting:
    """An evaluation with cases to run, and the names that go with it."""

    evaluation: Evaluation
    challenge: str
    team: str


def waiting(session: Session, which: Which, *, most: int | None = None) -> list[Waiting]:
    """The evaluations that are meant and have not all their verdicts: higher priority first, then the older one.

    most: how many at most; None means all.

    Raises:
        NotFound: there is no such challenge, phase, track, task or team.
    """
    require_known(session, which)
    named = {
        Challenge.slug: which.challenge,
        Evaluation.phase: which.phase,
        Evaluation.track: which.track,
        Evaluation.task: which.task,
        Team.name_key: None if which.team is None else name_key(which.team),
    }
    query = (
        select(Evaluation, Challenge.slug, Team.name)
        .join(Challenge, Challenge.id == Evaluation.challenge_id)
        .join(Team, Team.id == Evaluation.team_id)
        .where(
            Evaluation.status.in_(HAS_CASES),
            *(column == name for column, name in named.items() if name is not None),
        )
        .order_by(Evaluation.priority.desc(), Evaluation.created_at, Evaluation.id)
        .limit(most)
    )
    if which.ids:
        query = query.where(Evaluation.id.in_(which.ids))
    if which.within is not None:
        query = query.where(Evaluation.challenge_id.in_(which.within))
    return [Waiting(evaluation, slug, team) for evaluation, slug, team in session.execute(query)]


def require_known(session: Session, which: Which) -> None:
    """Refuses names that nothing has: they would look like an empty list.

    Raises:
        NotFound: there is no such challenge, phase, track, task or team.
    """
    challenges = [
        challenge
        for challenge in session.scalars(select(Challenge))
        if which.within is None or challenge.id in which.within
    ]
    specs = [challenge.spec for challenge in challenges if which.challenge in (None, challenge.slug)]
    known = (
        ("challenge", which.challenge, {challenge.slug for challenge in challenges}),
        ("phase", which.phase, {name for spec in specs for name in spec.phases}),
        ("track", which.track, {name for spec in specs for name in spec.tracks}),
        ("task", which.task, {name for spec in specs for name in spec.tasks}),
    )
    for kind, name, names in known:
        if name is not None and name not in names:
            there = ", ".join(sorted(names)) or "none"
            raise _unknown(kind, f"There is no {kind} {name!r}. There are: {there}.")
    same = [Team.name_key == name_key(which.team or "")]
    if which.within is not None:
        same.append(Team.challenge_id.in_(which.within))
    if which.team is not None and not session.scalar(select(exists().where(*same))):
        raise NotFound(
            ErrorCode.UNKNOWN_TEAM,
            f"There is no team {which.team!r}. 'proctor-admin teams' shows all of them.",
        )


def _unknown(kind: str, detail: str) -> NotFound:
    return {
        "challenge": NotFound(ErrorCode.UNKNOWN_CHALLENGE, detail),
        "phase": NotFound(ErrorCode.UNKNOWN_PHASE, detail),
        "track": NotFound(ErrorCode.UNKNOWN_TRACK, detail),
        "task": NotFound(ErrorCode.UNKNOWN_TASK, detail),
    }[kind]


def require_place(user: User, priority: int) -> None:
    """Refuses a place before the evaluations of other challenges to all but admins.

    Raises:
        Forbidden: `priority` is above the usual one.
    """
    if priority > USUAL_PRIORITY and not isinstance(user, Admin):
        raise Forbidden(
            ErrorCode.ADMINS_ONLY,
            f"A priority above {USUAL_PRIORITY} goes before the evaluations of every challenge, so only an admin gives "
            "it. To put some of yours first, put the others below it.",
        )


def prioritize(session: Session, evaluation_ids: Sequence[EvaluationId], priority: int, *, actor: str) -> int:
    """Gives evaluations a place before (above 0) or behind (below) all others; returns how many changed.

    Cases that run go on.

    Raises:
        NotFound: one of them does not exist.
        Conflict: one of them has no cases to run any more; nothing is changed then.
    """
    rows = session.execute(
        select(Evaluation.id, Evaluation.priority, Evaluation.status)
        .where(Evaluation.id.in_(evaluation_ids))
        .order_by(Evaluation.id)
        .with_for_update(key_share=True)
    ).all()
    if missing := set(evaluation_ids) - {row.id for row in rows}:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, f"There is no evaluation {min(missing)}.")
    if ended := [row for row in rows if row.status not in HAS_CASES]:
        raise Conflict(
            ErrorCode.NOTHING_TO_RUN,
            f"Evaluation {ended[0].id} has no cases to run: it is {ended[0].status}.",
        )
    changed = [(row.id, row.priority) for row in rows if row.priority != priority]
    session.execute(
        update(Evaluation).where(Evaluation.id.in_([found for found, _ in changed])).values(priority=priority)
    )
    for found, before in changed:
        events.record(session, "evaluation", found, actor=actor, what=f"priority {before} → {priority}")
    return len(changed)
