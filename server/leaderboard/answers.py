"""A board as an answer to a request: from memory if everybody may see it, else made for who asks."""

import time
from collections.abc import Callable

from fastapi import Request, Response
from sqlalchemy.orm import Session

from server.accounts.principals import User
from server.challenges.models import Challenge
from server.challenges.service import frozen_since, is_sealed
from server.clock import now
from server.leaderboard.memory import Board, Memory
from server.leaderboard.negotiation import Rendered, asked_for, rendered
from server.leaderboard.views import leaderboard_out
from server.organizers.access import observes


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

    behind = frozen_since(challenge, phase, at=now(session)) and observes(session, viewer, challenge)
    if is_sealed(challenge, phase) or behind:
        live = Board(leaderboard_out(session, challenge, phase, live=True), challenge.spec)
        found = made(live, public=False)
    else:
        memory: Memory = request.app.state.boards
        found = memory.show(session, challenge, phase, form, asked=asked, render=made)
    answer = found.answer(*asked_for(request.scope["headers"]))
    response = Response(answer.body, status_code=answer.status)
    response.raw_headers = list(answer.headers)
    return response
