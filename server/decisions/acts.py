"""What every act of an organizer has: what it would change, a look whether boards have moved, and its event."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from contract.decisions import ActPlan
from contract.ids import TeamId
from contract.problems import ErrorCode
from server.accounts.principals import Observer
from server.challenges.models import Challenge
from server.errors import Conflict, NotFound
from server.leaderboard.supposed import AS_IT_IS, Supposed
from server.leaderboard.whatif import compare
from server.teams.models import Team


@dataclass(frozen=True)
class Act:
    """An act before it is done. supposed: what boards have of it; sentences and told as in `ActPlan`."""

    supposed: Supposed = AS_IT_IS
    sentences: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def plan(self, session: Session, challenge: Challenge) -> ActPlan:
        """What it would change."""
        shifts = compare(session, challenge, self.supposed)
        return ActPlan(sentences=self.sentences, told=self.told, shifts=shifts)

    def require_seen(self, session: Session, challenge: Challenge, seen: str | None) -> None:
        """Refuses where what was `seen` is not what it would change now; without `seen` nothing is compared.

        Raises:
            Conflict: the boards have moved since.
        """
        if seen is not None and compare(session, challenge, self.supposed).digest != seen:
            raise Conflict(
                ErrorCode.BOARD_MOVED,
                "The boards have moved since they were shown, and nothing was changed. Look at the plan again.",
            )


def team_of_challenge(session: Session, observer: Observer, team_id: TeamId) -> Team:
    """A team of the challenge that `observer` may see all of.

    Raises:
        NotFound: there is none.
    """
    team = session.get(Team, team_id)
    if team is None or team.challenge_id != observer.challenge_id:
        raise NotFound(ErrorCode.UNKNOWN_TEAM, "This challenge has no such team.")
    return team


def unchanged(what: str) -> Conflict:
    """The answer where everything is so already."""
    return Conflict(ErrorCode.UNCHANGED, f"{what} Nothing was changed.")
