"""Endpoints of leaderboards: JSON, and CSV in the format that `python -m evaluator rank` reads."""

import csv
import io
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response

from contract.leaderboard import LeaderboardOut, OtherwiseOut, Valued
from contract.texts import Name
from server.challenges.service import get_challenge
from server.deps import SessionDep, ViewerDep
from server.leaderboard import service
from server.leaderboard.answers import board_answer
from server.leaderboard.memory import Board

router = APIRouter(tags=["leaderboards"])


class _Csv(Response):
    media_type = "text/csv"


_COLUMNS = ["team", "track", "task", "metric", "value", "low", "high", "rank", "is_baseline", "eligible"]
_COLUMNS += ["unranked", "scored_at", "note"]


@router.head("/challenges/{slug}/leaderboards/{phase}.csv", include_in_schema=False)
@router.get("/challenges/{slug}/leaderboards/{phase}.csv", response_class=_Csv)
def get_csv(request: Request, session: SessionDep, viewer: ViewerDep, slug: Name, phase: Name) -> Response:
    """The values of every board as CSV; `task` names the board, `unranked` says why a row is shown and not ranked."""
    challenge = get_challenge(session, slug)
    service.require_visible(challenge, phase, viewer)
    return board_answer(request, session, challenge, phase, "csv", _csv)


def _csv(board: Board) -> Response:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for track in board.out.tracks:
        for one in track.boards:
            listed: list[Valued] = [*one.entries, *one.otherwise]
            for entry in listed:
                writer.writerows(_rows(track.track, one.board, entry))
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8")


def _rows(track: str, board: str, entry: Valued) -> Iterator[list[object]]:
    """A row per metric."""
    why = ["disqualified"] if entry.disqualified else []
    if isinstance(entry, OtherwiseOut):
        why.append(f"scored otherwise: {', '.join(entry.differs)}")
    scored_at = entry.scored_at.isoformat() if entry.scored_at else None
    for metric, value in entry.metrics.items():
        names = [_safe(entry.team), track, board, metric]
        numbers = [value.value, value.low, value.high, value.rank]
        flags = [int(entry.baseline), int(entry.eligible)]
        yield [*names, *numbers, *flags, "; ".join(why), scored_at, value.note]


def _safe(name: str) -> str:
    """A team name that a spreadsheet does not take for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name


@router.head("/challenges/{slug}/leaderboards/{phase}", include_in_schema=False)
@router.get("/challenges/{slug}/leaderboards/{phase}", response_model=LeaderboardOut)
def get_leaderboard(
    request: Request, session: SessionDep, viewer: ViewerDep, slug: Name, phase: Name
) -> Response:
    """Every leaderboard of one phase: unified and per board, for each track."""
    challenge = get_challenge(session, slug)
    service.require_visible(challenge, phase, viewer)
    return board_answer(request, session, challenge, phase, "json", _json)


def _json(board: Board) -> Response:
    return Response(board.out.model_dump_json(), media_type="application/json")
