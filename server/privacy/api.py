"""One's own data over HTTP; and for admins a person's, and erasing them."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.ids import UserId
from contract.privacy import ErasureIn, ErasureOut, HowErased, PersonalData
from server.accounts.deps import AdminDep, UserDep
from server.deps import SessionDep
from server.privacy import erasing, service

router = APIRouter(tags=["accounts"])


@router.get("/me/export")
def export_me(session: SessionDep, user: UserDep) -> PersonalData:
    """Everything that is kept of the person who asks."""
    return service.personal_data(session, user.id)


@router.get("/admin/users/{user_id}/export")
def export_person(session: SessionDep, admin: AdminDep, user_id: UserId) -> PersonalData:
    """Everything that is kept of a person, to give it to them."""
    return service.personal_data(session, user_id)


@router.get("/admin/users/{user_id}/erasure")
def plan_erasure(
    session: SessionDep, admin: AdminDep, user_id: UserId, how: Annotated[HowErased, Query()]
) -> ErasureOut:
    """What erasing a person would remove, keep and change."""
    return erasing.plan(session, user_id, how)


@router.post("/admin/users/{user_id}/erasure")
def erase_person(session: SessionDep, admin: AdminDep, user_id: UserId, body: ErasureIn) -> ErasureOut:
    """Erases a person for good: nothing leads from what stays to them any more, but backups of before."""
    how = HowErased(team_names=body.team_names, texts=body.texts)
    return erasing.erase(session, user_id, how, email=body.email, actor=admin.actor, why=body.why)
