"""What somebody was told, and what of it comes by mail."""

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.ids import NoticeId
from contract.notices import MATRIX, NoticeKind, NoticeOut, is_told
from server.deps import SessionDep, SettingsDep
from server.notices import api
from server.pages import Looking, looking_at, page
from server.web.looking import ReaderDep

router = APIRouter(include_in_schema=False)

PER_PAGE = 25
_OF_ALL = (NoticeKind.CHALLENGE_AMENDED, NoticeKind.PHASE_MOVED)
"""What everybody is told: of one act, what a team alone is told comes before."""
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
        acts=acts_of(shown),
        newest=shown[0].id if shown else None,
        unread=unread,
        before=before,
        older=shown[-1].id if len(found) > PER_PAGE else None,
    )


@router.get("/notices/settings", response_class=HTMLResponse)
def settings_of_notices(
    request: Request, session: SessionDep, reader: ReaderDep, settings: SettingsDep
) -> HTMLResponse:
    """Which kinds come by mail, of those that the reader may ever be told."""
    found, looking = api.get_settings(session, reader.user, settings), looking_at(request)
    told = [row for row in found.kinds if _concerns(row.kind, looking)]
    return page(
        request,
        "account/notice_settings.html",
        settings=found.model_copy(update={"kinds": told}),
        whom={kind.value: row.whom for kind, row in MATRIX.items()},
    )


def _concerns(kind: NoticeKind | str, looking: Looking) -> bool:
    """Whether somebody is ever told a kind: teams of theirs, as an organizer or observer, or as an admin."""
    if looking.is_admin or kind == NoticeKind.DELIVERY_FAILED or not isinstance(kind, NoticeKind):
        return True
    of_team = is_told(kind, team=True, challenge=False)
    return of_team or (bool(looking.organizes) and is_told(kind, team=False, challenge=True))


class ActTold(NamedTuple):
    """What one act had the reader told: what concerns them most, where that leads, and what else was said of it."""

    first: NoticeOut
    target: tuple[str, str] | None
    others: Sequence[NoticeOut]
    unread: Sequence[NoticeOut]


def acts_of(notices: Sequence[NoticeOut]) -> list[ActTold]:
    """Notices by the act that they tell of, in their order.

    A unit of work has one moment: what everybody is told at that of something that concerns the reader's team in
    particular belongs to it. Other notices of one moment, as of two submissions that have ended, stand apart.
    """
    acts = []
    for _, told in groupby(notices, key=lambda one: (one.created_at, one.challenge)):
        listed = list(told)
        own = [one for one in listed if one.kind not in _OF_ALL]
        first, *apart = own or listed[:1]
        others = [one for one in listed if one.kind in _OF_ALL and one is not first]
        acts += [_act(first, others), *(_act(one, []) for one in apart)]
    return acts


def _act(first: NoticeOut, others: Sequence[NoticeOut]) -> ActTold:
    return ActTold(first, leads_to(first), others, [one for one in (first, *others) if one.read_at is None])


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
