"""A board as somebody may see it, with what stands behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.orm import Session

from contract.events import Subject
from contract.leaderboard import BoardOut
from contract.problems import ErrorCode
from evaluator.spec import Challenge as Spec
from server.accounts.principals import User
from server.audit.looks import Look, looked
from server.challenges.models import Challenge
from server.challenges.service import frozen_since, require_track
from server.clock import now
from server.errors import NotFound
from server.leaderboard import service
from server.leaderboard.bases import InForce, case_counts, in_force
from server.leaderboard.service import Attempt, Found
from server.leaderboard.views import made_tracks
from server.organizers.access import observes

_HIDDEN = "Values of single cases and of groups are shown once organizers have released the leaderboard of this phase."
_NEVER = (
    "Values of single cases and of groups stay closed: the leaderboard of this phase is public from the start, and is "
    "never released."
)

_UNTESTED = (
    "Figures of tests between teams are shown once organizers have released the leaderboard of this phase: each tells "
    "a little of hidden cases."
)
_NEVER_TESTED = (
    "Figures of tests between teams stay closed: each tells a little of hidden cases, and the leaderboard of this "
    "phase is public from the start and never released."
)


@dataclass(frozen=True)
class Sight:
    """What somebody sees of one track.

    counted: what its places follow from, of all tracks. frozen: whether it is a sight of then. observes: whether the
    asker may see everything of the challenge. hidden: why single cases are not shown; None where they are. untested:
    the same of the figures of tests, each of which tells a little of hidden cases.
    """

    challenge: Challenge
    phase: str
    track: str
    force: InForce
    found: Found
    frozen: bool
    observes: bool
    hidden: str | None
    untested: str | None

    @property
    def spec(self) -> Spec:
        """The version in force."""
        return self.force.spec

    @property
    def counted(self) -> Sequence[Attempt]:
        """What counts, of all tracks."""
        return self.found.counted

    @property
    def decimals(self) -> int:
        """Of the values of the phase."""
        return self.spec.phases[self.phase].decimals

    @cached_property
    def names(self) -> dict[str, str]:
        """What the teams of the track are called, by their ids."""
        return {one.team_id: one.team.name for one in self.counted if one.track == self.track}


def seen(session: Session, challenge: Challenge, phase: str, track: str | None, viewer: User | None) -> Sight:
    """What `viewer` sees of a track, of the first one where none is named; as its board is shown to them.

    Raises:
        NotFound, Forbidden: there is no such board, track or phase, or it is sealed.
    """
    service.require_visible(session, challenge, phase, viewer)
    spec = challenge.spec
    track = track or next(iter(spec.tracks))
    require_track(spec, track)
    watches = observes(session, viewer, challenge)
    live = service.sees_live(session, challenge, phase, viewer)
    until = None if live else frozen_since(challenge, phase, at=now(session))
    force = in_force(session, challenge, phase, until=until)
    shown = watches or phase in challenge.released
    never = spec.phases[phase].board == "public" and spec.phases[phase].freezes is None
    return Sight(
        challenge=challenge,
        phase=phase,
        track=track,
        force=force,
        found=service.attempts(session, challenge, phase, force),
        frozen=until is not None,
        observes=watches,
        hidden=None if shown else _NEVER if never else _HIDDEN,
        untested=None if shown or not spec.phases[phase].hidden else _NEVER_TESTED if never else _UNTESTED,
    )


def note_look(session: Session, sight: Sight, viewer: User | None) -> None:
    """Records that an organizer sees what single cases gave while nobody else does."""
    if viewer is not None and sight.observes and sight.phase not in sight.challenge.released:
        looked(session, Subject.CHALLENGE, sight.challenge.id, Look.CASES, actor=viewer.actor)


def board_of(session: Session, sight: Sight, board: str) -> tuple[BoardOut, dict[str, Attempt]]:
    """A board of the track as it is shown, and what its entries have, by their names.

    Raises:
        NotFound: there is no such board.
    """
    if board not in sight.spec.boards:
        boards = ", ".join(sight.spec.boards)
        raise NotFound(ErrorCode.UNKNOWN_BOARD, f"There is no board {board!r}. Boards: {boards}.")
    mine = [one for one in sight.counted if one.track == sight.track]
    cases = case_counts(session, sight.force)
    tracks = made_tracks(sight.spec, Found(mine, []), decimals=sight.decimals, cases=cases)
    track = next(one for one in tracks if one.track == sight.track)
    shown = next(one for one in track.boards if one.head.board == board)
    return shown.out, {one.team.name: one for one in mine if one.board == board}
