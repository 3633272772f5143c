"""Score workers: which are there, which challenges they score, and whose evaluations none of them would score."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.statuses import EvaluationStatus
from contract.texts import listed
from server.challenges.models import Challenge
from server.evaluations.models import Evaluation
from server.evaluations.worker_models import ScoreWorker
from server.words import counted

PRESENT = timedelta(minutes=1)
"""A score worker that was seen within that time is there; each tells four times as often."""
_FORGOTTEN = timedelta(days=1)
_NAMED = 20


@dataclass(frozen=True)
class Unserved:
    """A challenge that no score worker takes which is there, and how many of its evaluations wait for their scores."""

    challenge: str
    waiting: int


def announce(session: Session, name: str, challenges: Collection[str]) -> None:
    """A score worker is there, and scores these challenges, or all where none is named."""
    row = {"challenges": list(challenges), "seen_at": func.clock_timestamp()}
    add = insert(ScoreWorker).values(name=name, **row)
    session.execute(add.on_conflict_do_update(index_elements=[ScoreWorker.name], set_=row))
    session.execute(delete(ScoreWorker).where(ScoreWorker.seen_at < func.now() - _FORGOTTEN))


def unserved(session: Session) -> list[Unserved]:
    """Challenges that wait for a score worker, or would: while none is there at all, only those that wait."""
    there = select(func.jsonb_agg(ScoreWorker.challenges)).where(ScoreWorker.seen_at > func.now() - PRESENT)
    scoring = and_(Evaluation.challenge_id == Challenge.id, Evaluation.status == EvaluationStatus.SCORING)
    rows = session.execute(
        select(Challenge.slug, func.count(Evaluation.id), there.scalar_subquery())
        .outerjoin(Evaluation, scoring)
        .group_by(Challenge.slug)
        .order_by(Challenge.slug)
    ).all()
    told: list[list[str]] = (rows[0][2] or []) if rows else []
    if any(not names for names in told):
        return []
    served = {name for names in told for name in names}
    return [Unserved(slug, count) for slug, count, _ in rows if slug not in served and (count or told)]


def sentences(found: Collection[Unserved]) -> Iterator[str]:
    """What is said of them to admins, what waits first."""
    for one in sorted(found, key=lambda one: -one.waiting)[:_NAMED]:
        if one.waiting:
            waiting = counted(
                one.waiting, "evaluation waits for its scores", "evaluations wait for their scores"
            )
            yield f"{one.challenge}: {waiting}, and no score worker that takes this challenge is there."
    if names := [one.challenge for one in found if not one.waiting]:
        rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield f"No score worker that is there takes {listed(names[:_NAMED])}{rest}: nothing of it would be scored."
