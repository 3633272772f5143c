"""Questions over HTTP: asked by teams, answered by organizers, read by their team or by everybody."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.ids import QuestionId
from contract.questions import (
    AnnouncementIn,
    AnswerIn,
    QuestionClosingIn,
    QuestionIn,
    QuestionOut,
    QuestionRow,
)
from contract.texts import Name
from server.accounts.deps import UserDep, ViewerDep
from server.challenges.service import get_challenge
from server.deps import SessionDep
from server.organizers.access import observer_of, organizer_of
from server.questions import service
from server.questions.views import question_out

router = APIRouter(tags=["questions"])
Before = Annotated[QuestionId | None, Query(description="The last one of the page before")]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("/challenges/{slug}/questions", status_code=201)
def ask(session: SessionDep, user: UserDep, slug: Name, body: QuestionIn) -> QuestionOut:
    """Asks the organizers, for one's team. Who else reads it, and in which words, they decide."""
    question = service.ask(
        session,
        user,
        get_challenge(session, slug),
        text=body.text,
        team_id=body.team,
        task=body.task,
        submission_id=body.submission,
    )
    return question_out(question, question.team_id)


@router.get("/challenges/{slug}/questions")
def list_questions(
    session: SessionDep, viewer: ViewerDep, slug: Name, before: Before = None, limit: Limit = 50
) -> list[QuestionOut]:
    """What was announced or answered to everybody, and what your team asked, newest first."""
    challenge = get_challenge(session, slug)
    questions, team = service.readable(session, viewer, challenge, before=before, limit=limit)
    return [question_out(question, team) for question in questions]


@router.get("/organize/{slug}/questions", tags=["organizers"])
def list_asked(
    session: SessionDep,
    user: UserDep,
    slug: Name,
    is_open: Annotated[bool | None, Query(alias="open")] = None,
    before: Before = None,
    limit: Limit = 50,
) -> list[QuestionRow]:
    """Every question with its team, and every announcement, newest first; with `open` those that are, or are not."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    return service.rows(session, challenge, is_open=is_open, before=before, limit=limit)


@router.post("/organize/{slug}/questions/{question_id}/answer", tags=["organizers"])
def answer(
    session: SessionDep, user: UserDep, slug: Name, question_id: QuestionId, body: AnswerIn
) -> QuestionRow:
    """Answers to the team, or to everybody with what they are to read of the question."""
    organizer = organizer_of(session, user, get_challenge(session, slug))
    return service.row(session, service.answer(session, organizer, question_id, **body.model_dump()))


@router.post("/organize/{slug}/questions/{question_id}/close", tags=["organizers"])
def close(
    session: SessionDep, user: UserDep, slug: Name, question_id: QuestionId, body: QuestionClosingIn
) -> QuestionRow:
    """Closes a question without an answer, or takes back what was published; its team reads why."""
    organizer = organizer_of(session, user, get_challenge(session, slug))
    closed = service.close(session, organizer, question_id, why=body.why, instead=body.instead)
    return service.row(session, closed)


@router.post("/organize/{slug}/announcements", status_code=201, tags=["organizers"])
def announce(session: SessionDep, user: UserDep, slug: Name, body: AnnouncementIn) -> QuestionRow:
    """Tells everybody something, on the challenge's page and in lists of questions."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    return service.row(
        session, service.announce(session, organizer, challenge, text=body.text, task=body.task)
    )
