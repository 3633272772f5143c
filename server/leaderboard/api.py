"""Endpoints of leaderboards: JSON, and CSV in the format that `python -m evaluator rank` reads."""

from fastapi import APIRouter, Request, Response

from contract.leaderboard import LeaderboardOut
from contract.texts import Name
from server.accounts.deps import ViewerDep
from server.challenges.service import get_challenge
from server.deps import CsvResponse, SessionDep
from server.leaderboard import service
from server.leaderboard.answers import board_answer
from server.leaderboard.memory import Board
from server.leaderboard.spreadsheet import as_csv

router = APIRouter(tags=["leaderboards"])


@router.head("/challenges/{slug}/leaderboards/{phase}.csv", include_in_schema=False)
@router.get("/challenges/{slug}/leaderboards/{phase}.csv", response_class=CsvResponse)
def get_csv(request: Request, session: SessionDep, viewer: ViewerDep, slug: Name, phase: Name) -> Response:
    """The values of every board as CSV; `task` names the board, `unranked` says why a row is shown and not ranked."""
    challenge = get_challenge(session, slug)
    service.require_visible(session, challenge, phase, viewer)
    return board_answer(request, session, challenge, phase, "csv", _csv, viewer=viewer)


def _csv(board: Board) -> Response:
    return Response(as_csv(board.out), media_type="text/csv; charset=utf-8")


@router.head("/challenges/{slug}/leaderboards/{phase}", include_in_schema=False)
@router.get("/challenges/{slug}/leaderboards/{phase}", response_model=LeaderboardOut)
def get_leaderboard(
    request: Request, session: SessionDep, viewer: ViewerDep, slug: Name, phase: Name
) -> Response:
    """Every leaderboard of one phase: unified and per board, for each track."""
    challenge = get_challenge(session, slug)
    service.require_visible(session, challenge, phase, viewer)
    return board_answer(request, session, challenge, phase, "json", _json, viewer=viewer)


def _json(board: Board) -> Response:
    return Response(board.out.model_dump_json(), media_type="application/json")
