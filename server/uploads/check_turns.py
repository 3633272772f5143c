"""Whose upload is checked next: of the team with the fewest checks under way, then of who had least of them lately."""

from sqlalchemy import ColumnElement, and_, case, extract, func, or_, select, text
from sqlalchemy.orm import Session

from contract.statuses import UploadStatus
from server.uploads.models import Upload

_LOCK = 0x70726F6368656B  # any number: all who choose an upload ask for the same
_HALF_LIFE = 3600.0
_REMEMBERED = text("interval '1 day'")
_FREE = and_(
    Upload.status == UploadStatus.CHECKING,
    or_(Upload.check_lease_until.is_(None), Upload.check_lease_until < func.now()),
    or_(Upload.check_not_before.is_(None), Upload.check_not_before < func.now()),
)
_RUNS = and_(Upload.status == UploadStatus.CHECKING, Upload.check_lease_until >= func.now())


def next_to_check(session: Session, *, most_per_team: int, left: int) -> Upload | None:
    """The upload whose turn it is, locked; None where none waits, or only of teams that have enough checks under way.

    One that waits for room on the disk has its turn once `left` bytes are enough, or its day is over.

    One checker chooses at a time, so that two do not both count without the other; it has to commit at once.
    """
    session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    fits = or_(Upload.check_needs.is_(None), Upload.check_needs <= left, Upload.expires_at < func.now())
    waits = and_(_FREE, fits)
    teams = (
        select(
            Upload.team_id,
            func.count().filter(_RUNS).label("running"),
            func.sum(_had()).label("had"),
        )
        .where(Upload.team_id.in_(select(Upload.team_id).where(waits)))
        # What is older counts for nothing after so many half-lives.
        .where(or_(Upload.status == UploadStatus.CHECKING, Upload.updated_at > func.now() - _REMEMBERED))
        .group_by(Upload.team_id)
        .subquery()
    )
    return session.scalar(
        select(Upload)
        .join(teams, teams.c.team_id == Upload.team_id)
        .where(waits, teams.c.running < most_per_team)
        .order_by(teams.c.running, teams.c.had, Upload.id)
        .limit(1)
        .with_for_update(of=Upload, skip_locked=True)
    )


def _had() -> ColumnElement[float]:
    """Seconds of checks that an upload took; an hour after the last of them they count half."""
    age = extract("epoch", func.now() - Upload.updated_at)
    under_way = extract("epoch", func.now() - Upload.check_began_at)
    lately = Upload.check_seconds * func.power(0.5, func.least(func.greatest(age / _HALF_LIFE, 0), 100))
    return lately + case((_RUNS, under_way), else_=0.0)
