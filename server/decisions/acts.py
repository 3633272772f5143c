"""What every act of an organizer has: what it would change, a look whether boards have moved, and its event."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from contract.changes import Shifts
from contract.decisions import ActPlan
from contract.ids import TeamId
from contract.notices import Audience, NoticeKind
from contract.problems import ErrorCode
from server.accounts.principals import Observer
from server.amendments.service import amend
from server.challenges.models import Challenge
from server.datasets.said import require_no_case
from server.errors import Conflict, NotFound
from server.leaderboard.supposed import AS_IT_IS, Supposed
from server.leaderboard.whatif import changed_in_public, compare
from server.notices.service import tell
from server.teams.models import Team

_NONE: Mapping[str, object] = {}


@dataclass(frozen=True)
class Act:
    """An act before it is done. supposed: what boards have of it; sentences and told as in `ActPlan`.

    public: what everybody reads of it where a board that everybody sees changes; no team is named in it, for a name
    may have to go later, and amendments stay. beside: what it changes that no board shows, as it stands now.
    """

    supposed: Supposed = AS_IT_IS
    sentences: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    public: str | None = None
    beside: str | None = None

    def plan(self, session: Session, challenge: Challenge) -> ActPlan:
        """What it would change."""
        shifts = self._shifts(session, challenge)
        read = [f"Everybody reads: {what}." for what in self._amendments(session, challenge).values()]
        return ActPlan(sentences=[*self.sentences, *read], told=self.told, shifts=shifts)

    def require_seen(self, session: Session, challenge: Challenge, seen: str | None) -> None:
        """Refuses where what was `seen` is not what it would change now; without `seen` nothing is compared.

        Raises:
            Conflict: the boards, or what it changes beside them, have moved since.
        """
        if seen is not None and self._shifts(session, challenge).digest != seen:
            raise Conflict(
                ErrorCode.BOARD_MOVED,
                "The boards, or what else this changes, have moved since they were shown, and nothing was changed. "
                "Look at the plan again.",
            )

    def _shifts(self, session: Session, challenge: Challenge) -> Shifts:
        shifts = compare(session, challenge, self.supposed)
        if self.beside is None:
            return shifts
        seen = hashlib.sha256(f"{shifts.digest} {self.beside}".encode()).hexdigest()
        return shifts.model_copy(update={"digest": f"sha256:{seen}"})

    def amend(self, session: Session, challenge: Challenge, *, by: str) -> None:
        """Tells everybody of it, without the reason; called before anything is changed."""
        for phase, what in self._amendments(session, challenge).items():
            amend(session, challenge, what=what, why=None, by=by, phase=phase)

    def tell_team(
        self,
        session: Session,
        challenge: Challenge,
        team_id: TeamId,
        *,
        why: str,
        about: Mapping[str, object] = _NONE,
    ) -> None:
        """Tells the members of the team that it concerns, with the reason.

        Raises:
            Unprocessable: the reason, or what else they read, names a hidden case.
        """
        require_no_case(session, challenge.id, why, *self.told)
        tell(
            session,
            NoticeKind.TEAM_DECIDED,
            Audience.TEAM,
            title="The organizers decided about your team",
            text="\n".join([*self.sentences, *self.told, f"Their reason: {why}"]),
            challenge=challenge,
            team_id=team_id,
            about={"team": team_id, **about},
        )

    def _amendments(self, session: Session, challenge: Challenge) -> dict[str, str]:
        """What everybody reads, by phase."""
        if self.public is None:
            return {}
        phases = changed_in_public(session, challenge, self.supposed)
        return {phase: f"{challenge.spec.phases[phase].title}: {self.public}" for phase in phases}


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
