"""Endpoints of the queue for organizers and admins: what waits, what goes first, and the slots that take from it."""

from fastapi import APIRouter

from contract.ids import EvaluationId
from contract.queue import PriorityIn, SlotOut, WaitingOut
from contract.texts import Name
from server.accounts.deps import AdminDep, UserDep
from server.deps import SessionDep
from server.evaluations.access import organizer_of_evaluation
from server.organizers.access import observed
from server.queue import slots
from server.queue.views import slot_out, waiting_out
from server.queue.waiting import Which, prioritize, require_place, waiting

router = APIRouter(tags=["evaluations"])


@router.get("/admin/queue")
def list_queue(
    session: SessionDep,
    user: UserDep,
    challenge: Name | None = None,
    phase: Name | None = None,
    track: Name | None = None,
    task: Name | None = None,
    team: Name | None = None,
) -> list[WaitingOut]:
    """The next 1,000 evaluations that have cases to run, what an admin put first before all others.

    Organizers see those of their challenges.
    """
    which = Which(challenge, phase, track, task, team, within=observed(session, user, challenge))
    return [waiting_out(state) for state in waiting(session, which, most=1_000)]


@router.put("/admin/evaluations/{evaluation_id}/priority", status_code=204)
def put_priority(session: SessionDep, user: UserDep, evaluation_id: EvaluationId, wanted: PriorityIn) -> None:
    """Puts an evaluation before (admins only) or behind all others; cases that run go on."""
    organizer = organizer_of_evaluation(session, user, evaluation_id)
    require_place(user, wanted.priority)
    prioritize(session, [evaluation_id], wanted.priority, actor=organizer.actor)


@router.get("/admin/slots")
def list_slots(session: SessionDep, admin: AdminDep) -> list[SlotOut]:
    """Every slot that ever asked for a case: what it offers, what it runs, and why it takes no work if so."""
    return [slot_out(state) for state in slots.slot_states(session)]
