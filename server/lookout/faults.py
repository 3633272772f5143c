"""What organizers and admins have to mend: evaluations that the platform failed at, teams that wait, a full disk."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.notices import Audience, NoticeKind
from contract.statuses import EvaluationStatus
from server.challenges.models import Challenge
from server.clock import now
from server.disk import Share
from server.evaluations.models import Evaluation
from server.notices.models import Notice
from server.notices.service import tell
from server.settings import Settings
from server.teams.models import Team

_NEWS = timedelta(hours=2)


def tell_errored(session: Session) -> None:
    """Tells organizers and admins that evaluations ended by the platform's fault, once an hour and challenge."""
    hour = func.date_trunc("hour", Evaluation.finished_at)
    errored = (
        select(Challenge, hour, func.count())
        .join(Evaluation, Evaluation.challenge_id == Challenge.id)
        .where(
            Evaluation.status == EvaluationStatus.ERRORED,
            Evaluation.finished_at > func.now() - _NEWS,
        )
        .group_by(Challenge.id, hour)
    )
    for challenge, at, count in session.execute(errored).all():
        tell(
            session,
            NoticeKind.EVALUATION_ERRORED,
            Audience.STAFF,
            title=f"{count} evaluation{'s' if count > 1 else ''} ended by the platform's fault",
            text="`proctor-admin errors` says what was met, and `proctor-admin retry` has them run again. "
            "Further ones within the hour are not told one by one.",
            challenge=challenge,
            key=f"errored:{challenge.id}:{at.isoformat()}",
        )


def tell_waiting(session: Session) -> None:
    """Tells organizers of each team that waits for their approval."""
    key = func.concat("waits:", Team.id)
    waiting = (
        select(Team, Challenge)
        .join(Challenge, Challenge.id == Team.challenge_id)
        .where(Team.waits, Team.merged_into.is_(None), ~select(Notice.id).where(Notice.key == key).exists())
    )
    for team, challenge in session.execute(waiting).all():
        tell(
            session,
            NoticeKind.TEAM_WAITS,
            Audience.ORGANIZERS,
            title=f"{team.name} waits for approval",
            text="It can neither upload nor submit until an organizer approves it: "
            f"proctor-admin decide approve {team.id}",
            challenge=challenge,
            about={"team": team.id},
            key=f"waits:{team.id}",
        )


def tell_disk(session: Session, settings: Settings) -> None:
    """Tells admins, once a day, that uploads are refused for want of room."""
    if settings.room(Share.UPLOADS).left() > 0:
        return
    tell(
        session,
        NoticeKind.DISK_LOW,
        Audience.ADMINS,
        title="The disk is full up to its reserve",
        text="Uploads are refused, and when a quarter of the reserve is used no case is given out. "
        "`proctor-admin storage` says what lies there.",
        key=f"disk:{now(session):%Y-%m-%d}",
    )
