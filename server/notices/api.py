"""Endpoints of one's own notices."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.ids import NoticeId
from contract.notices import (
    MATRIX,
    NoticeKind,
    NoticeOut,
    NoticeSettingIn,
    NoticeSettingOut,
    NoticeSettingsOut,
    ReadIn,
    UnreadOut,
)
from server.accounts.deps import UserDep
from server.accounts.principals import User
from server.accounts.service import account_of
from server.deps import SessionDep, SettingsDep
from server.notices import service
from server.outbox.service import mail_is_set_up
from server.settings import Settings

router = APIRouter(prefix="/notices", tags=["notices"])


@router.get("")
def list_notices(
    session: SessionDep,
    user: UserDep,
    unread: Annotated[bool, Query(description="Only what you have not read")] = False,
    before: Annotated[NoticeId | None, Query(description="The last one of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[NoticeOut]:
    """What you were told, newest first."""
    found = service.own_notices(session, user, unread=unread, before=before, limit=limit)
    return [NoticeOut.of(notice, copy, challenge=slug) for notice, copy, slug in found]


@router.get("/unread")
def count_unread(session: SessionDep, user: UserDep) -> UnreadOut:
    """How many notices you have not read."""
    return UnreadOut(unread=service.unread(session, user))


@router.post("/read")
def mark_read(session: SessionDep, user: UserDep, body: ReadIn) -> UnreadOut:
    """Notes that you have read some notices, or all up to one; how many are left."""
    service.mark_read(session, user, ids=body.ids, until=body.until)
    return UnreadOut(unread=service.unread(session, user))


@router.get("/settings")
def get_settings(session: SessionDep, user: UserDep, settings: SettingsDep) -> NoticeSettingsOut:
    """Which kinds come to you by mail."""
    return _settings_out(session, user, settings)


@router.put("/settings/{kind}")
def set_setting(
    session: SessionDep, user: UserDep, settings: SettingsDep, kind: NoticeKind, body: NoticeSettingIn
) -> NoticeSettingsOut:
    """Says whether a kind comes to you by mail."""
    service.set_mail(session, user, kind, mail=body.mail)
    return _settings_out(session, user, settings)


def _settings_out(session: SessionDep, user: User, settings: Settings) -> NoticeSettingsOut:
    kinds = [
        NoticeSettingOut(kind=kind, tells=MATRIX[kind].tells, mail=mail, usual=mail == MATRIX[kind].mail)
        for kind, mail in service.settings_of(session, user).items()
    ]
    verified = account_of(session, user).verified_at is not None
    return NoticeSettingsOut(mail_is_set_up=mail_is_set_up(settings), address_verified=verified, kinds=kinds)
