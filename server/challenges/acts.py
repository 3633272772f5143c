"""Acts that change what leaderboards show, noted in the unit of work in which they are done.

A released board is kept as it was shown (`server.editions`), which stands far above most of what changes it. So an act
says here that it happened, and before its unit of work commits what it concerns is looked at.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from contract.ids import ChallengeId

_NOTED = "acts_on_boards"


@dataclass(frozen=True)
class BoardAct:
    """An act. phase: the one that it concerns, None for all. what: as everybody reads it, None where nobody does.

    kind: what is said of it where no act of the same unit of work is read. releases: whether it is the release of the
    phase's board.
    """

    phase: str | None
    what: str | None
    kind: str = "the organizers changed how a team stands"
    releases: bool = False


def note_act(session: Session, challenge_id: ChallengeId, act: BoardAct) -> None:
    """Notes an act that may change what the challenge's boards show to everybody."""
    session.info.setdefault(_NOTED, {}).setdefault(challenge_id, []).append(act)


def noted_acts(session: Session) -> dict[ChallengeId, list[BoardAct]]:
    """The acts of this unit of work by challenge, which are forgotten by it."""
    noted: dict[ChallengeId, list[BoardAct]] = session.info.pop(_NOTED, {})
    return noted


def has_acts(session: Session) -> bool:
    """Whether any act of this unit of work is noted."""
    return _NOTED in session.info
