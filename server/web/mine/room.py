"""Whose pages of a challenge these are: the reader's team there, or what stands in their way to have one."""

from sqlalchemy.orm import Session

from contract.ids import TeamId
from server.challenges.models import Challenge
from server.submissions.service import own_team
from server.teams.membership import find_team
from server.teams.models import Team
from server.web.looking import Reader


def team_of_page(
    session: Session, reader: Reader, challenge: Challenge, named: TeamId | None = None
) -> Team | None:
    """The team that a page shows: the reader's own, or for admins the one named; None where they have none.

    Raises:
        NotFound: another's team is named.
    """
    if named is not None:
        return own_team(session, reader.user, challenge, named)
    return find_team(session, reader.user, challenge.id)
