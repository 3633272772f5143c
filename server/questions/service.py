"""Asking, answering to one team or to everybody, closing, announcing; and who reads what of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import QuestionId, SubmissionId, TeamId
from contract.notices import Audience, NoticeKind
from contract.problems import ErrorCode
from contract.questions import QuestionRow
from contract.statuses import QuestionStatus
from server import moves
from server.accounts import tallies
from server.accounts.models import Account
from server.accounts.principals import Observer, Organizer, User
from server.accounts.service import require_scope
from server.accounts.tallies import Bound
from server.challenges.models import Challenge
from server.challenges.service import require_task
from server.datasets.said import require_no_case
from server.errors import Conflict, NotFound, NotNow, Unprocessable
from server.notices.service import tell
from server.questions.models import Question
from server.submissions.service import get_submission, own_team
from server.teams.membership import find_team
from server.teams.models import Team

PER_DAY = Bound("questions", 20, timedelta(days=1), by_anybody=False)


def ask(
    session: Session,
    user: User,
    challenge: Challenge,
    *,
    text: str,
    team_id: TeamId | None,
    task: str | None,
    submission_id: SubmissionId | None,
) -> Question:
    """A question of a team to the organizers.

    Raises:
        NotFound: somebody else's team, or the submission is none of its.
        Unprocessable: there is no such task.
        NotNow: the team has asked too often within a day.
    """
    require_scope(user, Scope.SUBMIT)
    team = own_team(session, user, challenge, team_id)
    if task is not None:
        require_task(challenge.spec, task)
    if submission_id is not None and get_submission(session, user, submission_id).team_id != team.id:
        raise NotFound(ErrorCode.UNKNOWN_SUBMISSION, "There is no such submission of this team.")
    wait = tallies.count(session, PER_DAY, team.id)
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_QUESTIONS,
            tallies.later(f"Your team has asked {PER_DAY.most} times within a day.", wait),
            seconds=wait.total_seconds(),
        )
    question = Question(
        challenge_id=challenge.id,
        team_id=team.id,
        asked_by=user.id,
        task=task,
        submission_id=submission_id,
        text=text,
    )
    _begun(session, question, actor=user.actor)
    tell(
        session,
        NoticeKind.QUESTION_ASKED,
        Audience.ORGANIZERS,
        title=f"{team.name} asks",
        text=text,
        challenge=challenge,
        about={"question": question.id, "team": team.id},
    )
    return question


def _begun(session: Session, question: Question, *, actor: str) -> Question:
    session.add(question)
    session.flush()
    session.refresh(question)
    moves.begin(session, "question", question.id, question.status, actor=actor)
    return question


def readable(
    session: Session, viewer: User | None, challenge: Challenge, *, before: QuestionId | None, limit: int
) -> tuple[Sequence[Question], TeamId | None]:
    """What everybody may read and what the viewer's team asked, newest first; and which team that is."""
    team = find_team(session, viewer, challenge.id) if viewer is not None else None
    own = None if team is None else team.id
    public = Question.status == QuestionStatus.PUBLISHED
    query = _page(challenge, before, limit).where(
        public if own is None else or_(public, Question.team_id == own)
    )
    return session.scalars(query).all(), own


def published(session: Session, challenge: Challenge, *, limit: int) -> Sequence[Question]:
    """What everybody may read, what was said last first."""
    return session.scalars(
        select(Question)
        .where(Question.challenge_id == challenge.id, Question.status == QuestionStatus.PUBLISHED)
        .order_by(Question.answered_at.desc(), Question.id.desc())
        .limit(limit)
    ).all()


def _page(challenge: Challenge, before: QuestionId | None, limit: int) -> Select[Any]:
    query = select(Question).where(Question.challenge_id == challenge.id)
    query = query if before is None else query.where(Question.id < before)
    return query.order_by(Question.id.desc()).limit(limit)


def rows(
    session: Session, challenge: Challenge, *, is_open: bool | None, before: QuestionId | None, limit: int
) -> list[QuestionRow]:
    """Every question and announcement, newest first; those that are open, or those that are not."""
    query = _page(challenge, before, limit)
    if is_open is not None:
        still = Question.status == QuestionStatus.OPEN
        query = query.where(still if is_open else ~still)
    return _rows(session, query)


def row(session: Session, question: Question) -> QuestionRow:
    """One of them."""
    return _rows(session, select(Question).where(Question.id == question.id))[0]


def _rows(session: Session, query: Select[Any]) -> list[QuestionRow]:
    named = (
        query.outerjoin(Team, Team.id == Question.team_id)
        .outerjoin(Account, Account.id == Question.asked_by)
        .with_only_columns(Question, Team.name, Account.name)
    )
    return [
        QuestionRow.of(
            question,
            team=team,
            asked_by=name,
            submission=question.submission_id,
            asked_at=question.created_at,
        )
        for question, team, name in session.execute(named)
    ]


def _get(session: Session, organizer: Observer, question_id: QuestionId) -> Question:
    """A question of the organizer's challenge that nobody else answers meanwhile."""
    question = session.get(Question, question_id, with_for_update=True)
    if question is None or question.challenge_id != organizer.challenge_id:
        raise NotFound(
            ErrorCode.UNKNOWN_QUESTION, "There is no such question. GET /organize/…/questions lists them."
        )
    return question


def answer(
    session: Session,
    organizer: Organizer,
    question_id: QuestionId,
    *,
    answer: str,
    everybody: bool,
    question: str | None,
    instead: bool,
) -> Question:
    """Answers to the team, or to everybody with what they read of the question. An announcement stays one.

    Raises:
        NotFound: no such question of this challenge.
        Conflict: it was answered or closed, and this is not meant `instead`.
        Unprocessable: it would go to everybody, and what they read of the question is not said; or it names a hidden
            case.
    """
    asked = _get(session, organizer, question_id)
    _require_open(asked, instead)
    everybody = everybody or asked.team_id is None
    if everybody and question is None and asked.team_id is not None:
        raise Unprocessable(
            ErrorCode.NEEDS_PUBLIC_TEXT,
            "What the team wrote is for you alone. Say in `question` what everybody is to read of it.",
        )
    status = QuestionStatus.PUBLISHED if everybody else QuestionStatus.ANSWERED
    _settle(session, organizer, asked, status, answer, question if everybody else None)
    return asked


def close(
    session: Session, organizer: Organizer, question_id: QuestionId, *, why: str, instead: bool
) -> Question:
    """Closes a question without an answer; its team reads why. What was published is taken back.

    Raises:
        NotFound: no such question of this challenge.
        Conflict: it was answered or closed, and this is not meant `instead`.
    """
    asked = _get(session, organizer, question_id)
    _require_open(asked, instead)
    _settle(session, organizer, asked, QuestionStatus.CLOSED, why, None)
    return asked


def announce(
    session: Session, organizer: Organizer, challenge: Challenge, *, text: str, task: str | None
) -> Question:
    """Tells everybody something that nobody asked.

    Raises:
        Unprocessable: there is no such task, or it names a hidden case.
    """
    require_no_case(session, challenge.id, text)
    if task is not None:
        require_task(challenge.spec, task)
    announcement = Question(
        challenge_id=challenge.id,
        task=task,
        status=QuestionStatus.PUBLISHED,
        answer=text,
        answered_at=func.now(),
        answered_by=organizer.actor,
    )
    _begun(session, announcement, actor=organizer.actor)
    _tell_everybody(session, announcement)
    return announcement


def _require_open(question: Question, instead: bool) -> None:
    if question.status is not QuestionStatus.OPEN and not instead:
        raise Conflict(
            ErrorCode.QUESTION_SETTLED,
            f"This is {question.status} already: somebody was faster, or it is meant again. Look at it, and send "
            "`instead: true` (`--instead`) to replace what was said.",
        )


def _settle(
    session: Session,
    organizer: Organizer,
    question: Question,
    status: QuestionStatus,
    said: str,
    published: str | None,
) -> None:
    require_no_case(session, organizer.challenge_id, said, published)
    question.move_to(session, status, actor=organizer.actor)
    question.answer, question.published = said, published
    question.answered_at, question.answered_by = func.now(), organizer.actor
    session.flush()
    if question.team_id is not None:
        closed = status is QuestionStatus.CLOSED
        tell(
            session,
            NoticeKind.QUESTION_ANSWERED,
            Audience.TEAM,
            title="Your question was closed" if closed else "Your question was answered",
            text=f"{said}\n\nYour team had asked:\n{question.text}",
            challenge=session.get_one(Challenge, question.challenge_id),
            team_id=question.team_id,
            about={"question": question.id, "team": question.team_id},
        )
    if status is QuestionStatus.PUBLISHED:
        _tell_everybody(session, question)
    session.refresh(question)


def _tell_everybody(session: Session, question: Question) -> None:
    """What was announced, or answered to everybody."""
    about = "" if question.task is None else f" about {question.task}"
    asked = f"It was asked:\n{question.published}\n\n" if question.published else ""
    tell(
        session,
        NoticeKind.ANNOUNCEMENT,
        Audience.CHALLENGE,
        title=f"{'An answer to everybody' if asked else 'The organizers announce'}{about}",
        text=f"{asked}{question.answer}",
        challenge=session.get_one(Challenge, question.challenge_id),
        about={"question": question.id},
    )
