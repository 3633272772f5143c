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
from server.leaderboard.views import leaderboard_out


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

    if sees_live(session, challenge, phase, viewer):
        live = Board(leaderboard_out(session, challenge, phase, live=True), challenge.spec)
        found = made(live, public=False)
    else:
        memory: Memory = request.app.state.boards
        found = memory.show(session, challenge, phase, form, asked=asked, render=made)
    answer = found.answer(*asked_for(request.scope["headers"]))
    response = Response(answer.body, status_code=answer.status)
    response.raw_headers = list(answer.headers)
    return response
