"""Leaderboards: the teams of a track over all boards, and each board. What everybody may see is kept as it was made.

What stands behind a team's row is read where its row is opened, and kept nowhere.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from contract.entries import EntryDetailsOut
from contract.problems import ErrorCode
from contract.texts import Name
from server.challenges.models import Challenge
from server.challenges.service import get_challenge, is_sealed, require_track
from server.deps import SessionDep
from server.entries.service import entry_details
from server.errors import NotFound
from server.leaderboard.answers import board_answer, board_for, shared_answer
from server.leaderboard.front import page_form
from server.leaderboard.memory import Board
from server.leaderboard.service import require_visible
from server.organizers.access import observes
from server.pages import NOBODY, page, wants_page
from server.teams.membership import find_team
from server.web.frame import challenge_frame
from server.web.looking import Visitor, VisitorDep
from server.web.opening import opening_track
from server.web.public.query import BoardQuery, View
from server.web.public.shown import board_page, unified_page
from server.web.public.shown_csv import spreadsheet

router = APIRouter(include_in_schema=False)
_AT = "/challenges/{slug}/leaderboards/{phase}"

QueryDep = Annotated[BoardQuery, Query()]
Shown = tuple[str, Mapping[str, Any]]
"""A template and what it is filled with."""
Show = Callable[[Board, str | None, EntryDetailsOut | None], Shown]
"""Shows a board to somebody of a team, or of none, with what stands behind the row that is opened."""


@router.head(_AT)
@router.get(_AT, response_class=HTMLResponse)
def unified(
    request: Request, session: SessionDep, visitor: VisitorDep, slug: Name, phase: Name, asked: QueryDep
) -> Response:
    """The teams of a track over all its boards."""
    challenge, here = get_challenge(session, slug), _here(slug, phase)

    def shown(board: Board, own: str | None, behind: EntryDetailsOut | None) -> Shown:
        track = opening_track(board, asked.track)
        view = View.of(here, track.track, asked)
        return "boards/unified.html", unified_page(board, track, view, own, behind)

    return _answer(request, session, visitor, challenge, phase, asked, shown)


@router.head(_AT + "/boards/{board}")
@router.get(_AT + "/boards/{board}", response_class=HTMLResponse)
def one_board(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    slug: Name,
    phase: Name,
    board: Name,
    asked: QueryDep,
) -> Response:
    """The values of one board."""
    challenge, here = get_challenge(session, slug), _here(slug, phase)
    _require_board(challenge, board)

    def shown(found: Board, own: str | None, behind: EntryDetailsOut | None) -> Shown:
        track = opening_track(found, asked.track)
        view = View.of(f"{here}/boards/{board}", track.track, asked)
        return "boards/board.html", board_page(found, track, board, here, view, own, behind)

    return _answer(request, session, visitor, challenge, phase, asked, shown, board=board)


@router.get(_AT + "/shown.csv", response_class=Response)
def csv_of_shown(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    slug: Name,
    phase: Name,
    asked: QueryDep,
    board: Annotated[Name | None, Query()] = None,
) -> Response:
    """The table that a page with the same query shows, with all its pages."""
    challenge = get_challenge(session, slug)
    require_visible(session, challenge, phase, visitor.user)
    _require_track(challenge, asked)
    if board is not None:
        _require_board(challenge, board)
    found = board_for(request, session, challenge, phase, visitor.user)
    track = opening_track(found, asked.track)
    whole = View.of(_here(slug, phase), track.track, asked)
    content = spreadsheet(found, track, board, whole)
    name = "-".join(part for part in (slug, phase, track.track, board) if part)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-cache"}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def _answer(
    request: Request,
    session: Session,
    visitor: Visitor,
    challenge: Challenge,
    phase: str,
    asked: BoardQuery,
    shown: Show,
    *,
    board: str | None = None,
) -> Response:
    """The page for everybody, from memory as far as it is kept, or for the person who asks."""
    hidden = is_sealed(challenge, phase) and not observes(session, visitor.user, challenge)
    if hidden and wants_page(request):
        return _sealed(request, challenge, phase, visitor)
    require_visible(session, challenge, phase, visitor.user)
    _require_track(challenge, asked)
    beside: dict[str, Any] = {
        "frame": challenge_frame(challenge, takes_part=visitor.user is not None),
        "path": _here(challenge.slug, phase),
        # What is made anew shows to nobody else before it is applied.
        "observing": observes(session, visitor.user, challenge),
    }

    def behind(found: Board) -> EntryDetailsOut | None:
        return _behind(session, challenge, found, asked, visitor)

    def shared(found: Board) -> HTMLResponse:
        template, content = shown(found, None, behind(found))
        return page(request, template, looking=NOBODY, **beside, **content)

    if visitor.user is not None:
        team = find_team(session, visitor.user, challenge.id)
        found = board_for(request, session, challenge, phase, visitor.user)
        template, content = shown(found, None if team is None else team.name, behind(found))
        return page(request, template, **beside, **content)
    form = page_form(board, request.scope["query_string"])
    if form is not None:
        return board_answer(request, session, challenge, phase, form, shared)
    return shared_answer(request, shared(board_for(request, session, challenge, phase, None)))


def _sealed(request: Request, challenge: Challenge, phase: str, visitor: Visitor) -> HTMLResponse:
    """A page of the challenge, that says when the board is opened and who decides."""
    return page(
        request,
        "boards/sealed.html",
        status=403,
        frame=challenge_frame(challenge, takes_part=visitor.user is not None),
        phase=challenge.spec.phases[phase],
        phase_name=phase,
    )


def _here(slug: str, phase: str) -> str:
    return f"/challenges/{slug}/leaderboards/{phase}"


def _require_track(challenge: Challenge, asked: BoardQuery) -> None:
    if asked.track:
        require_track(challenge.spec, asked.track)


def _require_board(challenge: Challenge, board: str) -> None:
    if board not in challenge.spec.boards:
        raise NotFound(
            ErrorCode.NO_BOARD, f"There is no board {board!r}. Boards: {', '.join(challenge.spec.boards)}."
        )


def _behind(
    session: Session, challenge: Challenge, found: Board, asked: BoardQuery, visitor: Visitor
) -> EntryDetailsOut | None:
    """What stands behind the row that is opened; None where none is, or nothing ran for it here."""
    if not asked.open or found.made.head.published is not None:
        return None
    track = opening_track(found, asked.track)
    if all(one.team != asked.open for one in track.unified):
        return None
    with suppress(NotFound):  # it went while the board that is kept still has it
        return entry_details(session, challenge, found.made.head.phase, track.track, asked.open, visitor.user)
    return None
