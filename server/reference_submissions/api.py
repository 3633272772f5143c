"""Reference submissions over HTTP, for organizers."""

from fastapi import APIRouter

from contract.reference_submissions import ReferenceSubmissionIn, ReferenceSubmissionOut
from contract.texts import Name
from server.accounts.deps import UserDep
from server.challenges.service import get_challenge
from server.clock import now
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of, organizer_of
from server.reference_submissions import service
from server.reference_submissions.views import reference_out

router = APIRouter(prefix="/organize", tags=["organizers"])


@router.post("/{slug}/reference-submissions", status_code=202)
def ask_for_reference_submissions(
    session: SessionDep, user: UserDep, settings: SettingsDep, slug: Name, wanted: ReferenceSubmissionIn
) -> list[ReferenceSubmissionOut]:
    """Has the platform answer each task in ways of which it knows what scoring has to make of them.

    Perfect, constant, random, lacking and forbidden outputs go through the checks and the scoring of every other one.
    They are on no board and spend nothing; ask with GET what came of it.
    """
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    rows = service.ask(session, challenge, organizer, phase=wanted.phase, task=wanted.task, settings=settings)
    return [reference_out(challenge, row, now(session)) for row in rows]


@router.get("/{slug}/reference-submissions")
def list_reference_submissions(
    session: SessionDep, user: UserDep, slug: Name, phase: Name | None = None, task: Name | None = None
) -> list[ReferenceSubmissionOut]:
    """The last reference submission of each phase and task: what was expected, and what was found."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    rows = service.found(session, challenge, observer, phase=phase, task=task)
    return [reference_out(challenge, row, now(session)) for row in rows]
