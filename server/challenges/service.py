"""Applying challenge files and finding challenges."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from contract.ids import ChallengeId
from contract.problems import ErrorCode
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase
from server import events
from server.challenges.acts import BoardAct, note_act
from server.challenges.models import Challenge, SpecVersion
from server.clock import now
from server.errors import Conflict, NotFound, Unprocessable
from server.words import moment

ANYTHING = "anything"
"""Whatever the present version is, none included."""


def apply(
    session: Session, spec: Spec, *, actor: str, instead_of: str | None = ANYTHING
) -> tuple[Challenge, bool]:
    """Makes `spec` the present version of its challenge. The same content again changes nothing.

    instead_of: the digest of the version that has to be the present one, None for a challenge that is new.

    Returns the challenge and whether anything changed.

    Raises:
        Conflict: another version is the present one by now.
    """
    found = select(Challenge).where(Challenge.slug == spec.challenge).with_for_update()
    challenge = session.scalar(found.execution_options(populate_existing=True))
    present = challenge.current_version.digest if challenge and challenge.current_version else None
    if instead_of not in (ANYTHING, present):
        message = f"The file of {spec.challenge} has been changed meanwhile: look at the plan again."
        raise Conflict(ErrorCode.CHALLENGE_CHANGED, message)
    if challenge is None:
        challenge = Challenge(slug=spec.challenge)
        session.add(challenge)
        session.flush()
    version = session.scalar(
        select(SpecVersion).where(SpecVersion.challenge_id == challenge.id, SpecVersion.digest == spec.digest)
    )
    if version is None:
        version = SpecVersion(
            challenge_id=challenge.id, digest=spec.digest, content=spec.model_dump(mode="json")
        )
        session.add(version)
        session.flush()
    if challenge.current_version_id == version.id:
        return challenge, False
    challenge.current_version = version
    events.record(session, "challenge", challenge.id, actor=actor, what="version applied", why=spec.digest)
    session.flush()
    return challenge, True


def list_challenges(session: Session) -> list[Challenge]:
    """Every challenge, by name."""
    return list(session.scalars(select(Challenge).order_by(Challenge.slug)))


def find_challenge(session: Session, slug: str) -> Challenge | None:
    """The challenge called `slug`, if there is one."""
    return session.scalar(select(Challenge).where(Challenge.slug == slug))


def get_challenge(session: Session, slug: str) -> Challenge:
    """The challenge called `slug`; NotFound names the ones there are."""
    challenge = find_challenge(session, slug)
    if challenge is None:
        names = ", ".join(session.scalars(select(Challenge.slug).order_by(Challenge.slug))) or "none yet"
        raise NotFound(
            ErrorCode.UNKNOWN_CHALLENGE,
            f"There is no challenge {slug!r} on this server. Challenges: {names}.",
        )
    return challenge


def release(
    session: Session, challenge: Challenge, phase: str, *, actor: str, why: str | None = None
) -> None:
    """Opens a sealed leaderboard, or thaws a frozen one, to everybody; the challenge file, and so its version, stays.

    why: a reason that the board shows, where it is released before it is final.

    Raises:
        Conflict: the phase has no board, or one that everybody sees already.
    """
    found = get_phase(challenge.spec, phase)
    if found.board == "none":
        raise Conflict(ErrorCode.NO_BOARD, f"Phase {phase!r} has no leaderboard that could be released.")
    if found.board == "public" and (found.freezes is None or now(session) < found.freezes):
        frozen = f"frozen before {moment(found.freezes)}" if found.freezes else "sealed"
        raise Conflict(
            ErrorCode.BOARD_PUBLIC, f"The leaderboard of phase {phase!r} was never {frozen}: it is public."
        )
    if phase in challenge.released:
        raise Conflict(
            ErrorCode.BOARD_RELEASED, f"The leaderboard of phase {phase!r} has been released already."
        )
    challenge.released = [*challenge.released, phase]
    events.record(session, "challenge", challenge.id, actor=actor, what=released_event(phase), why=why)
    note_act(session, challenge.id, BoardAct(phase, None, releases=True))


def take_back(
    session: Session, challenge: Challenge, phase: str, *, actor: str, why: str | None = None
) -> None:
    """Shuts a leaderboard again that was released.

    Raises:
        Conflict: it is not released.
    """
    if phase not in challenge.released:
        raise Conflict(ErrorCode.BOARD_NOT_RELEASED, f"The leaderboard of phase {phase!r} is not released.")
    challenge.released = [name for name in challenge.released if name != phase]
    what = f"release of {phase} taken back"
    events.record(session, "challenge", challenge.id, actor=actor, what=what, why=why)


def released_event(phase: str) -> str:
    """What the event log calls the release of a phase's leaderboard."""
    return f"board of {phase} released"


def is_sealed(challenge: Challenge, phase: str, *, spec: Spec | None = None) -> bool:
    """Whether the phase's leaderboard is for organizers only, under the present version or as `spec` has it."""
    return get_phase(spec or challenge.spec, phase).board == "sealed" and phase not in challenge.released


def frozen_since(challenge: Challenge, phase: str, *, at: datetime) -> datetime | None:
    """Since when everybody but organizers sees a public leaderboard as it was then; None where it is not frozen."""
    since = get_phase(challenge.spec, phase).freezes
    return since if since is not None and since <= at and phase not in challenge.released else None


def spec_of_phase(challenge: Challenge, phase: str, *, version: SpecVersion) -> Spec:
    """The present version's content; where it has lost the phase that of `version`, under which something ran in it."""
    return challenge.spec if phase in challenge.spec.phases else version.spec


def get_phase(spec: Spec, name: str) -> Phase:
    """The phase called `name`."""
    if name not in spec.phases:
        raise NotFound(
            ErrorCode.UNKNOWN_PHASE, f"There is no phase {name!r}. Phases: {', '.join(spec.phases)}."
        )
    return spec.phases[name]


def require_open(spec: Spec, name: str, *, at: datetime) -> Phase:
    """The phase called `name` if it takes submissions at `at`."""
    phase = get_phase(spec, name)
    if phase.is_open(at):
        return phase
    if phase.opens is None:
        when = "has no opening date yet"
    elif at < phase.opens:
        when = f"opens {moment(phase.opens)}"
    else:
        when = f"closed {moment(phase.closes) if phase.closes else 'already'}"
    raise Conflict(ErrorCode.PHASE_CLOSED, f"Phase {name!r} {when}; it takes no submissions now.")


def require_task(spec: Spec, name: str) -> None:
    """Raises unless `name` is a task; a board's name gets told its task."""
    if name in spec.tasks:
        return
    if name in spec.boards:
        task = spec.boards[name].task
        raise Unprocessable(ErrorCode.BOARD_NOT_TASK, f"{name} is a board of {task}: submit {task}.")
    raise Unprocessable(ErrorCode.UNKNOWN_TASK, f"There is no task {name!r}. Tasks: {', '.join(spec.tasks)}.")


def require_track(spec: Spec, name: str) -> None:
    """Raises unless `name` is a track of the challenge."""
    if name not in spec.tracks:
        raise Unprocessable(ErrorCode.UNKNOWN_TRACK, _no_track(spec, name))


def find_track(spec: Spec, name: str | None) -> str:
    """The track of that name, for somebody who looks; the first one where none is named. NotFound if there is none."""
    if name is not None and name not in spec.tracks:
        raise NotFound(ErrorCode.UNKNOWN_TRACK, _no_track(spec, name))
    return name or next(iter(spec.tracks))


def _no_track(spec: Spec, name: str) -> str:
    return f"There is no track {name!r}. Tracks: {', '.join(spec.tracks)}."


def of_these(challenge_id: InstrumentedAttribute[ChallengeId], names: Collection[str]) -> ColumnElement[bool]:
    """Whether a row with that column is of one of the challenges of these names; without a name, of whichever."""
    if not names:
        return true()
    return challenge_id.in_(select(Challenge.id).where(Challenge.slug.in_(names)))
