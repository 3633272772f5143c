"""The event log as admins look into it, and organizers into what it says of their challenges."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from contract.admin import Page
from contract.events import EventOut, Subject
from contract.ids import ChallengeId
from server.accounts.called import called
from server.admin.pages import page_of
from server.agreements.models import Agreement
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.consignments.models import Consignment
from server.datasets.models import Case, Dataset
from server.evaluations.models import CaseRun, Evaluation
from server.events import Event
from server.ids import first_id, ids_between
from server.images.models import Image
from server.questions.models import Question
from server.reevaluations.models import Reevaluation
from server.submissions.models import Submission
from server.teams.models import Team
from server.uploads.models import Upload

_APART = timedelta(hours=1)
"""By so much the clocks that make ids may differ from the database's."""

OF_INSTALLATION = frozenset(
    {Subject.RECEIPT_KEY, Subject.TOKEN, Subject.USER, Subject.WEBHOOK, Subject.WORKER}
)
"""What is of no challenge, and so for admins alone."""

_OF_TEAM = Team.challenge_id
OF_CHALLENGES = {
    Subject.AGREEMENT: (Agreement.id, select(Agreement.id), Agreement.challenge_id),
    Subject.CHALLENGE: (Challenge.id, select(Challenge.id), Challenge.id),
    Subject.CASE: (
        Case.id,
        select(Case.id).join(Dataset, Dataset.id == Case.dataset_id),
        Dataset.challenge_id,
    ),
    Subject.DATASET: (Dataset.id, select(Dataset.id), Dataset.challenge_id),
    Subject.CONSIGNMENT: (Consignment.id, select(Consignment.id), Consignment.challenge_id),
    Subject.EVALUATION: (Evaluation.id, select(Evaluation.id), Evaluation.challenge_id),
    Subject.QUESTION: (Question.id, select(Question.id), Question.challenge_id),
    Subject.SUBMISSION: (Submission.id, select(Submission.id), Submission.challenge_id),
    Subject.REEVALUATION: (Reevaluation.id, select(Reevaluation.id), Reevaluation.challenge_id),
    Subject.TEAM: (Team.id, select(Team.id), _OF_TEAM),
    Subject.IMAGE: (Image.id, select(Image.id).join(Team, Team.id == Image.team_id), _OF_TEAM),
    Subject.UPLOAD: (Upload.id, select(Upload.id).join(Team, Team.id == Upload.team_id), _OF_TEAM),
    Subject.CASE_RUN: (
        CaseRun.id,
        select(CaseRun.id).join(Evaluation, Evaluation.id == CaseRun.evaluation_id),
        Evaluation.challenge_id,
    ),
}
"""What is of a challenge: its id, where it is found, and the challenge's."""


@dataclass(frozen=True)
class Asked:
    """Which events are meant; what is left out asks for nothing.

    `id` is the beginning of the subject's; `within`: only of what is of these challenges.
    """

    subject: Subject | None = None
    id: str | None = None
    actor: str | None = None
    new: str | None = None
    code: str | None = None
    what: str | None = None
    since: datetime | None = None
    within: Collection[ChallengeId] | None = None


def within(
    session: Session, challenge: str | None, seen: Collection[ChallengeId] | None
) -> Collection[ChallengeId] | None:
    """The challenges whose events are meant, of those that the asker has `seen`; None means all events.

    Raises:
        NotFound: there is no such challenge.
    """
    return [get_challenge(session, challenge).id] if challenge is not None and seen is None else seen


def events(session: Session, asked: Asked, *, after: UUID | None = None, limit: int = 50) -> Page[EventOut]:
    """The events that are meant, newest first.

    Raises:
        BadRequest: the id is no beginning of one.
    """
    query = select(Event)
    for column, value in (
        (Event.subject, asked.subject),
        (Event.actor, asked.actor),
        (Event.new, asked.new),
        (Event.code, asked.code),
        (Event.what, asked.what),
    ):
        query = query if value is None else query.where(column == value)
    if asked.within is not None:
        query = query.where(_of(asked.within))
    if asked.id is not None:
        query = query.where(Event.subject_id.between(*ids_between(asked.id)))
    if asked.since is not None:  # ids tell the time, and they have an index
        query = query.where(
            Event.created_at >= asked.since, Event.id >= first_id(asked.since, earlier=_APART)
        )
    rows, following = page_of(session, query, Event.id, after=after, limit=limit, newest_first=True)
    names = called(session, (row.actor for row in rows))
    items = [EventOut.of(row, actor_name=names.get(row.actor)) for row in rows]
    return Page(items=items, next=following)


def _of(challenges: Collection[ChallengeId]) -> ColumnElement[bool]:
    """Whether an event is of one of these challenges: looked up by the key of each, for events are many."""
    return or_(
        *(
            and_(Event.subject == subject, found.where(id_ == Event.subject_id, own.in_(challenges)).exists())
            for subject, (id_, found, own) in OF_CHALLENGES.items()
        )
    )
