"""What is sent and answered of questions to the organizers, and of what they announce."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, StrictBool

from contract.answers import Answer, Id, OrNewer
from contract.ids import SubmissionId, TeamId
from contract.statuses import QuestionStatus
from contract.texts import Name, Prose

_Text = Annotated[str, Prose(4000, least=1, strip=True)]
_Answer = Annotated[str, Prose(10_000, least=1, strip=True)]


class QuestionIn(BaseModel):
    """A question. `team` may be left out by a user with one team; the submission is one of that team's."""

    text: _Text
    team: TeamId | None = None
    task: Name | None = None
    submission: SubmissionId | None = None


class AnswerIn(BaseModel):
    """An answer, to the team or to everybody.

    question: what everybody reads of the question, which has to be written for them: what the team wrote is never
    shown to others. instead: of an answer that it has, or though it was closed.
    """

    answer: _Answer
    everybody: StrictBool = False
    question: _Text | None = None
    instead: StrictBool = False


class QuestionClosingIn(BaseModel):
    """Why a question is not answered, which its team reads; `instead` of an answer that it has."""

    why: _Text
    instead: StrictBool = False


class AnnouncementIn(BaseModel):
    """What everybody is told, about one task or the whole challenge."""

    text: _Answer
    task: Name | None = None


class QuestionOut(Answer):
    """A question as a participant sees it: an own one, or what everybody may read.

    text: what was asked, in the team's own words where it is `own`; null for an announcement. published: what everybody
    reads of an own question. answer: or why it was closed. `submission` and `asked_at` of own ones alone.
    """

    id: Id
    status: Annotated[QuestionStatus | str, OrNewer()]
    own: bool
    task: str | None
    submission: Id | None
    text: str | None
    published: str | None
    answer: str | None
    asked_at: datetime | None
    answered_at: datetime | None


class QuestionRow(Answer):
    """A question as organizers see it; an announcement has no team and no text. published: what everybody reads of it.

    `answered_by` as events name it.
    """

    id: Id
    status: QuestionStatus
    team_id: Id | None
    team: str | None
    asked_by: str | None
    task: str | None
    submission: Id | None
    text: str | None
    published: str | None
    answer: str | None
    asked_at: datetime
    answered_at: datetime | None
    answered_by: str | None
