"""Announcements, questions and answers of a challenge, and the form to ask."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.ids import QuestionId
from contract.texts import Name
from server.challenges.service import get_challenge
from server.deps import SessionDep
from server.pages import page
from server.questions import service
from server.questions.views import question_out
from server.teams.membership import find_team
from server.web.frame import challenge_frame
from server.web.looking import VisitorDep

router = APIRouter(include_in_schema=False)

_ROWS = 30


@router.get("/challenges/{slug}/questions", response_class=HTMLResponse)
def questions_page(
    request: Request,
    session: SessionDep,
    visitor: VisitorDep,
    slug: Name,
    before: Annotated[QuestionId | None, Query()] = None,
) -> HTMLResponse:
    """What everybody may read and what the reader's team asked, the newest first."""
    challenge = get_challenge(session, slug)
    found, own = service.readable(session, visitor.user, challenge, before=before, limit=_ROWS + 1)
    team = None if visitor.user is None else find_team(session, visitor.user, challenge.id)
    return page(
        request,
        "public/questions.html",
        frame=challenge_frame(challenge, takes_part=visitor.user is not None),
        questions=[question_out(one, own) for one in found[:_ROWS]],
        older=found[_ROWS - 1].id if len(found) > _ROWS else None,
        first=before is None,
        team=None if team is None else team.name,
        signed_in=visitor.user is not None,
        tasks=[
            ("", "the whole challenge"),
            *((name, task.title) for name, task in challenge.spec.tasks.items()),
        ],
    )
