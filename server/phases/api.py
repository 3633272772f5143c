"""Endpoints of phases: what organizers decide, and what everybody may read of what was fixed beforehand."""

from fastapi import APIRouter

from contract.phases import (
    CommitmentsOut,
    DatesApplyIn,
    DatesIn,
    DatesPlan,
    LabelCommitmentOut,
    ReleaseIn,
    ReleaseOut,
    TakeBackIn,
)
from contract.texts import Name
from server.accounts.deps import UserDep
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of, organizer_of
from server.phases import commitments, dates
from server.phases import release as releases
from server.phases.views import commitments_out, dates_out

router = APIRouter(tags=["challenges"])
organizing = APIRouter(prefix="/organize", tags=["organizers"])


@router.get("/challenges/{slug}/phases/{phase}/commitments")
def get_commitments(session: SessionDep, slug: Name, phase: Name) -> CommitmentsOut:
    """What was fixed for a phase before its results could be known: the digest of its plan, promises about labels."""
    return commitments_out(session, get_challenge(session, slug), phase)


@organizing.post("/{slug}/phases/{phase}/dates/plan")
def plan_dates(
    session: SessionDep, user: UserDep, settings: SettingsDep, slug: Name, phase: Name, body: DatesIn
) -> DatesPlan:
    """What opening, closing, extending or postponing the phase so would mean; nothing is changed."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    return dates_out(
        dates.plan_dates(
            session,
            challenge,
            phase,
            opens=body.opens,
            closes=body.closes,
            extend=body.extend,
            settings=settings,
        )
    )


@organizing.post("/{slug}/phases/{phase}/dates")
def set_dates(
    session: SessionDep, user: UserDep, settings: SettingsDep, slug: Name, phase: Name, body: DatesApplyIn
) -> DatesPlan:
    """Do it: a new version of the challenge file with these dates, and an amendment with the reason."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    dated = dates.plan_dates(
        session,
        challenge,
        phase,
        opens=body.opens,
        closes=body.closes,
        extend=body.extend,
        settings=settings,
    )
    dates.set_dates(session, organizer, dated, why=body.why, version=body.version)
    return dates_out(dated)


@organizing.get("/{slug}/phases/{phase}/release")
def get_release(
    session: SessionDep, user: UserDep, settings: SettingsDep, slug: Name, phase: Name
) -> ReleaseOut:
    """Whether the leaderboard of the phase is final, line by line, and who would win what."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    return releases.checklist(session, challenge, phase, settings=settings)


@organizing.post("/{slug}/phases/{phase}/release")
def release(
    session: SessionDep, user: UserDep, settings: SettingsDep, slug: Name, phase: Name, body: ReleaseIn
) -> ReleaseOut:
    """Open a sealed leaderboard, or thaw a frozen one, to everybody."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    return releases.release(
        session, organizer, challenge, phase, force=body.force, why=body.why, settings=settings
    )


@organizing.post("/{slug}/phases/{phase}/unrelease")
def take_back(
    session: SessionDep, user: UserDep, settings: SettingsDep, slug: Name, phase: Name, body: TakeBackIn
) -> ReleaseOut:
    """Shut a released leaderboard again: within minutes as it is, later with a reason that everybody reads."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    return releases.take_back(session, organizer, challenge, phase, why=body.why, settings=settings)


@organizing.post("/{slug}/phases/{phase}/label-commitments")
def commit_labels(
    session: SessionDep, user: UserDep, settings: SettingsDep, slug: Name, phase: Name
) -> list[LabelCommitmentOut]:
    """Publish a salted digest of the labels of each task of the phase."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    commitments.commit_labels(session, organizer, challenge, phase, settings=settings)
    return commitments_out(session, challenge, phase).labels
