"""A board as an answer to a request: from memory if everybody may see it, else made for who asks."""

import time
from collections.abc import Callable

from fastapi import Request, Response
from sqlalchemy.orm import Session

from server.accounts.principals import User
from server.challenges.models import Challenge
from server.leaderboard.memory import Board, Memory
from server.leaderboard.negotiation import Rendered, asked_for, rendered
from server.leaderboard.service import sees_live
from server.leaderboard.views import made_boards


def board_answer(
    request: Request,
    session: Session,
    challenge: Challenge,
    phase: str,
    form: str,
    render: Callable[[Board], Response],
    *,
    viewer: User | None = None,
) -> Response:
    """The board of a phase that the asker may see; what organizers alone see is never kept."""
    asked = time.monotonic()

    def made(board: Board, *, public: bool = True) -> Rendered:
        response = render(board)
        return rendered(bytes(response.body), response.headers, public=public)

    memory: Memory = request.app.state.boards
    if sees_live(session, challenge, phase, viewer):
        found = made(_live(memory, session, challenge, phase), public=False)
    else:
        found = memory.show(session, challenge, phase, form, asked=asked, render=made)
    return _sent(request, found)


def board_for(
    request: Request, session: Session, challenge: Challenge, phase: str, viewer: User | None
) -> Board:
    """The board of a phase as the asker, who may see it, sees it: as it is for organizers, else as it is public."""
    memory: Memory = request.app.state.boards
    if sees_live(session, challenge, phase, viewer):
        return _live(memory, session, challenge, phase)
    return memory.board(session, challenge, phase, asked=time.monotonic())


def shared_answer(request: Request, response: Response) -> Response:
    """What was made for everybody, with an entity tag and compressed, and kept nowhere."""
    return _sent(request, rendered(bytes(response.body), response.headers, public=True))


def _live(memory: Memory, session: Session, challenge: Challenge, phase: str) -> Board:
    made = made_boards(session, challenge, phase, live=True)
    return Board(made, challenge.spec, memory.around(session, challenge, phase))


def _sent(request: Request, found: Rendered) -> Response:
    answer = found.answer(*asked_for(request.scope["headers"]))
    response = Response(answer.body, status_code=answer.status)
    response.raw_headers = list(answer.headers)
    return response
