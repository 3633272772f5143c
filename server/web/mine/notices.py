"""What somebody was told, and what of it comes by mail."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.ids import NoticeId
from contract.notices import MATRIX, NoticeOut
from server.deps import SessionDep, SettingsDep
from server.notices import api
from server.pages import page
from server.web.looking import ReaderDep

router = APIRouter(include_in_schema=False)

PER_PAGE = 25
Before = Annotated[NoticeId | None, Query()]


@router.get("/notices", response_class=HTMLResponse)
def notices(
    request: Request, session: SessionDep, reader: ReaderDep, unread: bool = False, before: Before = None
) -> HTMLResponse:
    """What the reader was told, newest first."""
    found = api.list_notices(session, reader.user, unread=unread, before=before, limit=PER_PAGE + 1)
    shown = found[:PER_PAGE]
    return page(
        request,
        "account/notices.html",
        notices=[(notice, leads_to(notice)) for notice in shown],
        unread=unread,
        before=before,
        older=shown[-1].id if len(found) > PER_PAGE else None,
    )


@router.get("/notices/settings", response_class=HTMLResponse)
def settings_of_notices(
    request: Request, session: SessionDep, reader: ReaderDep, settings: SettingsDep
) -> HTMLResponse:
    """Which kinds come by mail."""
    return page(
        request,
        "account/notice_settings.html",
        settings=api.get_settings(session, reader.user, settings),
        whom={kind.value: row.whom for kind, row in MATRIX.items()},
    )


def leads_to(notice: NoticeOut) -> tuple[str, str] | None:
    """The page that a notice is about, and its name; None where there is none."""
    about, here = notice.about, f"/challenges/{notice.challenge}"
    if "submission" in about:
        return f"/submissions/{about['submission']}", "The submission"
    if notice.challenge is None:
        return None
    if "question" in about:
        return f"{here}/questions", "Questions"
    if notice.kind == "team.decided":
        return f"{here}/team", "The team"
    return here, "The challenge"
