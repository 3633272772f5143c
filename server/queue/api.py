"""Endpoints of the queue for admins: what waits, what goes first, and the slots that take from it."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from server.deps import AdminDep, SessionDep
from server.queue import slots
from server.queue.schemas import SlotOut, WaitingOut
from server.queue.waiting import LEAST_PRIORITY, MOST_PRIORITY, Which, prioritize, waiting

router = APIRouter(tags=["evaluations"])


class PriorityIn(BaseModel):
    """The place of an evaluation in the queue."""

    priority: int = Field(strict=True, ge=LEAST_PRIORITY, le=MOST_PRIORITY)


@router.get("/admin/queue")
def list_queue(session: SessionDep, admin: AdminDep) -> list[WaitingOut]:
    """The next 1,000 evaluations that have cases to run, what an admin put first before all others."""
    return [WaitingOut.of(one) for one in waiting(session, Which(), most=1_000)]


@router.put("/admin/evaluations/{evaluation_id}/priority", status_code=204)
def put_priority(session: SessionDep, admin: AdminDep, evaluation_id: UUID, wanted: PriorityIn) -> None:
    """Puts an evaluation before or behind all others; cases that run go on."""
    prioritize(session, [evaluation_id], wanted.priority, actor=admin.actor)


@router.get("/admin/slots")
def list_slots(session: SessionDep, admin: AdminDep) -> list[SlotOut]:
    """Every slot that ever asked for a case: what it offers, what it runs, and why it takes no work if so."""
    return [SlotOut.of(one) for one in slots.slot_states(session)]
