"""Whether a sealed leaderboard is final, and what was said of one that was opened before it was."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from sqlalchemy import and_, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from contract.statuses import EvaluationStanding, EvaluationStatus
from server.challenges.models import Challenge
from server.challenges.service import get_phase, released_event
from server.clock import now
from server.datasets.models import IN_FORCE, Dataset
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import ACTIVE
from server.events import Event
from server.teams.models import Team
from server.words import moment

_Told = TypeVar("_Told")


def obstacles(session: Session, challenge: Challenge, phase: str) -> dict[str, list[str]]:
    """What keeps a phase's leaderboard from being final, sentences by check: it is open, or evaluations have not ended.

    Only evaluations on the cases in force matter, for no other is ranked. One that the platform's fault ended counts
    until its team has another one on that task and track.
    """
    return {
        "closed": list(_open(session, challenge, phase)),
        "ended": list(_active(session, challenge, phase)),
        "faults": list(_errored(session, challenge, phase)),
    }


def _open(session: Session, challenge: Challenge, phase: str) -> Iterator[str]:
    at, found = now(session), get_phase(challenge.spec, phase)
    if found.is_open(at):
        yield f"Phase {phase!r} is open {_until(found.closes)}."
    elif not found.has_opened(at):
        yield f"Phase {phase!r} has not been open yet."


def _until(closes: datetime | None) -> str:
    return "and has no end" if closes is None else f"until {moment(closes)}"


def _active(session: Session, challenge: Challenge, phase: str) -> Iterator[str]:
    rows = session.execute(
        select(Evaluation.task, Evaluation.status)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(
            COUNTS,
            IN_FORCE,
            Evaluation.challenge_id == challenge.id,
            Evaluation.phase == phase,
            Evaluation.status.in_(ACTIVE),
        )
    )
    counts = Counter((task, status) for task, status in rows)
    if counts:
        listed = ", ".join(f"{task} {count} {status}" for (task, status), count in sorted(counts.items()))
        yield f"Evaluations that have not ended: {listed}."


def _errored(session: Session, challenge: Challenge, phase: str) -> Iterator[str]:
    later = aliased(Evaluation)
    again = exists().where(
        and_(
            later.team_id == Evaluation.team_id,
            later.phase == Evaluation.phase,
            later.task == Evaluation.task,
            later.track == Evaluation.track,
            later.dataset_id == Evaluation.dataset_id,
            later.created_at > Evaluation.created_at,
            later.standing == EvaluationStanding.IN_FORCE,
            later.status != EvaluationStatus.CANCELLED,
        )
    )
    rows = session.execute(
        select(Team.name, Evaluation.track, Evaluation.task, Evaluation.id)
        .join(Team, Team.id == Evaluation.team_id)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(
            COUNTS,
            IN_FORCE,
            Evaluation.challenge_id == challenge.id,
            Evaluation.phase == phase,
            Evaluation.status == EvaluationStatus.ERRORED,
            Team.disqualified.is_(None),
            ~again,
        )
        .order_by(Team.name, Evaluation.track, Evaluation.task)
    )
    for team, track, task, found in rows:
        yield f"{team}, {task}, track {track}: ended by the platform's fault and not run again ({found})."


def released_at(session: Session, challenge: Challenge, phase: str) -> datetime | None:
    """When a phase's leaderboard was released; None where it is not, or that is not known."""
    return _last(session, challenge, phase, Event.created_at)


def reason_of(session: Session, challenge: Challenge, phase: str) -> str | None:
    """Why a phase's leaderboard was opened before it was final, if it was."""
    return _last(session, challenge, phase, Event.why)


def _last(
    session: Session, challenge: Challenge, phase: str, told: InstrumentedAttribute[_Told]
) -> _Told | None:
    """What the event of the release that holds tells."""
    if phase not in challenge.released:
        return None
    return session.scalar(
        select(told)
        .where(
            Event.subject == "challenge",
            Event.subject_id == challenge.id,
            Event.what == released_event(phase),
        )
        .order_by(Event.created_at.desc(), Event.id.desc())
        .limit(1)
    )
