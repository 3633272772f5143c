"""How much of its caps each team uses."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import TeamId
from contract.usage import RejectedUse, TeamUsage
from server.challenges.models import Challenge
from server.settings import Settings
from server.submissions.rejections import Rejections, rejections_by
from server.teams.models import Team
from server.uploads.stored import Allowed, stored_by


def usage(
    session: Session, challenge: Challenge, *, after: TeamId | None, limit: int, settings: Settings
) -> list[TeamUsage]:
    """Teams in the order they were founded, with what they store and what of theirs may still fail this week."""
    query = select(Team).where(Team.challenge_id == challenge.id).order_by(Team.id).limit(limit)
    teams = session.scalars(query if after is None else query.where(Team.id > after)).all()
    ids = [team.id for team in teams]
    stored, failed = stored_by(session, ids), rejections_by(session, challenge.spec, ids)
    allowed = Allowed.by(settings, challenge.spec).team
    return [
        TeamUsage.of(
            stored[team.id],
            id=team.id,
            team=team.name,
            allowed=allowed,
            rejected=[
                _use(phase, task, counts, counts.most, counts.left)
                for (phase, task), counts in failed[team.id].items()
                if counts.most is not None and counts.left is not None and counts.left < counts.most
            ],
        )
        for team in teams
    ]


def _use(phase: str, task: str, counts: Rejections, most: int, left: int) -> RejectedUse:
    return RejectedUse.of(counts, phase=phase, task=task, rejected=len(counts.failed), most=most, left=left)
