"""Whether a sealed leaderboard is final, and what was said of one that was opened before it was."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import and_, exists, select
from sqlalchemy.orm import Session, aliased

from contract.statuses import EvaluationStatus, Standing
from server.challenges.models import Challenge
from server.challenges.service import get_phase, released_event
from server.clock import now
from server.datasets.models import IN_FORCE, Dataset
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import ACTIVE
from server.events import Event
from server.teams.models import Team


def obstacles(session: Session, challenge: Challenge, phase: str) -> list[str]:
    """What keeps a phase's leaderboard from being final, a sentence each: it is open, or evaluations have not ended.

    Only evaluations on the cases in force matter, for no other is ranked. One that the platform's fault ended counts
    until its team has another one on that task and track.
    """
    at, found = now(session), get_phase(challenge.spec, phase)
    opened = [f"Phase {phase!r} is open {_until(found.closes)}."] if found.is_open(at) else []
    return [*opened, *_active(session, challenge, phase), *_errored(session, challenge, phase)]


def _until(closes: datetime | None) -> str:
    return "and has no end" if closes is None else f"until {closes.isoformat()}"


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
            later.standing == Standing.IN_FORCE,
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


def reason_of(session: Session, challenge: Challenge, phase: str) -> str | None:
    """Why a phase's leaderboard was opened before it was final, if it was."""
    if phase not in challenge.released:
        return None
    return session.scalar(
        select(Event.why)
        .where(
            Event.subject == "challenge",
            Event.subject_id == challenge.id,
            Event.what == released_event(phase),
        )
        .order_by(Event.created_at.desc(), Event.id.desc())
        .limit(1)
    )
