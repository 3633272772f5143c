"""What stands behind what one team has on a leaderboard, as much of it as whoever asks may know.

The board's own rules say which evaluations these are; only the team's are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from contract.entries import EntryDetailsOut, SharedCheckpointOut, SharedImageOut
from contract.events import Subject
from contract.ids import TeamId
from contract.images import CheckpointState
from contract.problems import ErrorCode
from server.accounts.principals import User
from server.amendments.service import amendments
from server.audit.looks import Look, looked
from server.challenges.models import Challenge
from server.challenges.service import find_track, frozen_since
from server.clock import now
from server.entries.behind import Behind, behind_of, failed_of
from server.entries.views import Told, board_entry_out
from server.errors import NotFound
from server.evaluations.models import Evaluation
from server.leaderboard.bases import in_force
from server.leaderboard.checkpoints import Held, mark_of
from server.leaderboard.service import Attempt, attempts, require_visible, sees_live
from server.leaderboard.supposed import Supposed
from server.organizers.access import observes
from server.published.service import results_of
from server.reevaluations.repeats import repeats
from server.teams.membership import is_member
from server.teams.models import Team

_AMENDMENTS = 100
"""As many of the newest as are looked through."""


@dataclass(frozen=True)
class _OfOneTeam(Supposed):
    """As everything is, but that nobody else has anything: what others have is not read."""

    team: Team | None = None

    @property
    def counting(self) -> ColumnElement[bool]:
        """Of its evaluations those that count."""
        own = None if self.team is None else self.team.id
        return and_(super().counting, Evaluation.team_id == own)

    def teams_of(self, session: Session, challenge: Challenge) -> dict[TeamId, Team]:
        """The team alone."""
        return {} if self.team is None else {self.team.id: self.team}


def entry_details(
    session: Session, challenge: Challenge, phase: str, track: str | None, team: str, viewer: User | None
) -> EntryDetailsOut:
    """What stands behind a team's entries on a track, the first one where none is named; teams by name or id.

    Cases that failed are counted for the team itself, for organizers, and for everybody once the phase is released;
    whether repeated runs agree is told to all but the team alike. That an organizer reads it before is recorded.

    Raises:
        NotFound, Forbidden: there is no such board or track, it is sealed, or the team has nothing on it.
    """
    require_visible(session, challenge, phase, viewer)
    track = find_track(challenge.spec, track)
    found = _team(session, challenge, phase, team)
    have = [] if found is None else _entries(session, challenge, phase, track, found, viewer)
    if found is None or not have:
        raise NotFound(ErrorCode.UNKNOWN_ENTRY, f"No team {team!r} has an entry on the {track} track.")
    watches, released = observes(session, viewer, challenge), phase in challenge.released
    own = viewer is not None and "read" in viewer.scopes and is_member(session, viewer, found.id)
    if watches and not released and viewer is not None:
        looked(session, Subject.CHALLENGE, challenge.id, Look.CASES, actor=viewer.actor)
    behind = behind_of(session, [one.evaluation for one in have if one.evaluation is not None])
    pairs = [(one, behind[one.evaluation]) for one in have if one.evaluation is not None]
    told = Told(
        spec=challenge.spec,
        private=own or watches,
        organizer=watches and not own,
        hidden=challenge.spec.phases[phase].hidden,
        failed=failed_of(session, list(behind)) if own or watches or released else None,
        repeated=repeats(session, list(behind), applied=not watches) if watches or released else None,
        amended=[
            one
            for one in amendments(session, challenge, limit=_AMENDMENTS)
            if one.phase in (None, phase) and one.task is not None
        ],
    )
    return EntryDetailsOut(
        challenge=challenge.slug,
        phase=phase,
        track=track,
        team=found.name,
        at=now(session),
        baseline=found.is_baseline,
        eligible=found.eligible,
        disqualified=found.disqualified is not None,
        disclaimer=found.disclaimer,
        own=own,
        image=_image(challenge, pairs, private=told.private),
        checkpoint=_checkpoint(challenge, pairs, private=told.private),
        boards=[board_entry_out(one, row, told) for one, row in pairs],
        hidden=_hidden(challenge, phase, own=own) if told.repeated is None else None,
    )


def _team(session: Session, challenge: Challenge, phase: str, name: str) -> Team | None:
    """A team that boards show; where published results are shown none has anything behind it."""
    if results_of(session, challenge.id, phase) is not None:
        return None
    of_challenge = select(Team).where(Team.challenge_id == challenge.id, ~Team.hidden)
    found = session.scalar(of_challenge.where(Team.name == name))
    if found is None and (id_ := _id(name)) is not None:
        found = session.scalar(of_challenge.where(Team.id == id_))
    return found


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _entries(
    session: Session, challenge: Challenge, phase: str, track: str, team: Team, viewer: User | None
) -> list[Attempt]:
    """What the board shows of the team to whoever asks, board by board, what counts first."""
    live = sees_live(session, challenge, phase, viewer)
    until = None if live else frozen_since(challenge, phase, at=now(session))
    force = in_force(session, challenge, phase, until=until)
    found = attempts(session, challenge, phase, force, supposed=_OfOneTeam(team=team), with_scores=False)
    order = list(challenge.spec.boards)
    have = [one for one in (*found.counted, *found.otherwise) if one.track == track]
    return sorted(have, key=lambda one: (order.index(one.board), bool(one.differs)))


def _image(
    challenge: Challenge, pairs: Sequence[tuple[Attempt, Behind]], *, private: bool
) -> SharedImageOut | None:
    digests = {
        challenge.spec.boards[one.board].task: behind.image for one, behind in pairs if not one.differs
    }
    if not digests:
        return None
    return SharedImageOut(
        tasks=len(digests), images=len(set(digests.values())), digests=digests if private else None
    )


def _checkpoint(
    challenge: Challenge, pairs: Sequence[tuple[Attempt, Behind]], *, private: bool
) -> SharedCheckpointOut | None:
    found = {
        challenge.spec.boards[one.board].task: behind.facts.checkpoint
        for one, behind in pairs
        if not one.differs
    }
    if not found or challenge.spec.checkpoint is None:
        return None
    declared = [one for one in found.values() if one and one.state is not CheckpointState.NOT_DECLARED]
    verified = [one.sha256 for one in declared if one.verified]
    return SharedCheckpointOut(
        mark=mark_of([Held.of(one) for one in found.values()]),
        tasks=len(found),
        declared=len(declared),
        verified=len(verified),
        checkpoints=len(set(verified)),
        of_tasks=found if private else None,
    )


def _hidden(challenge: Challenge, phase: str, *, own: bool) -> str:
    """What is not told, and whether that ends."""
    found = challenge.spec.phases[phase]
    what = "Whether repeated runs agree" if own else "How many cases failed, and whether repeated runs agree,"
    if found.freezes is not None:
        return f"{what} is told once the organizers have released the leaderboard of this phase."
    return f"{what} is told to {'organizers' if own else 'its team and to organizers'} alone in this phase."
