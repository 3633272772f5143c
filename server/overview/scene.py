"""What an overview looks at: the challenge at a moment, and what is asked of it more than once."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from contract.overview import AttentionOut, Urgency
from contract.queue import Forecast
from contract.statuses import CaseStatus, EvaluationStatus, QuestionStatus
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase
from server.accounts.principals import Observer
from server.challenges.models import Challenge
from server.evaluations.models import COUNTS, CaseRun, Evaluation
from server.evaluations.result_models import Receipt
from server.evaluations.status import ACTIVE, HAS_CASES
from server.questions.models import Question
from server.queue.forecast import forecast
from server.settings import Settings
from server.submissions.models import Submission
from server.teams.models import Team
from server.webhooks.models import Endpoint


@dataclass(frozen=True)
class Counts:
    """How much there is of a challenge; teams that were merged into others are not counted.

    unsigned: scored, and without a receipt. parked: cases that wait for the end of a pause, of so many evaluations.
    """

    teams: int
    teams_waiting: int
    submissions: int
    scored: int
    under_way: int
    questions_open: int
    oldest_question: datetime | None
    errored: int
    errored_teams: int
    unsigned: int
    parked: int
    parked_evaluations: int
    webhooks_off: int


@dataclass(frozen=True)
class Scene:
    """A challenge at a moment, as `observer` may see it."""

    session: Session
    settings: Settings
    challenge: Challenge
    observer: Observer
    at: datetime

    @property
    def spec(self) -> Spec:
        """The present version of the challenge's file."""
        return self.challenge.spec

    @property
    def here(self) -> str:
        """Where the pages of its control room begin."""
        return f"/organize/{self.challenge.slug}"

    def is_over(self, phase: Phase) -> bool:
        """Whether a phase takes nothing any more."""
        return phase.closes is not None and phase.closes <= self.at

    @cached_property
    def forecast(self) -> Forecast:
        """When the queue will be empty."""
        return forecast(self.session)

    @cached_property
    def counts(self) -> Counts:
        """How much there is."""
        own, mine = Team.challenge_id == self.challenge.id, Evaluation.challenge_id == self.challenge.id
        teams = select(func.count()).select_from(Team).where(own, Team.merged_into.is_(None))
        sent = Submission.challenge_id == self.challenge.id
        still_open = Question.challenge_id == self.challenge.id, Question.status == QuestionStatus.OPEN
        scored = mine, COUNTS, Evaluation.status == EvaluationStatus.SCORED
        errored = mine, COUNTS, Evaluation.status == EvaluationStatus.ERRORED
        signed = exists().where(Receipt.evaluation_id == Evaluation.id)
        parked = mine, COUNTS, Evaluation.status.in_(HAS_CASES), CaseRun.status == CaseStatus.PARKED
        of_case = Evaluation.id == CaseRun.evaluation_id
        off = Endpoint.challenge_id == self.challenge.id, Endpoint.disabled_why.is_not(None)
        columns: tuple[Select[Any], ...] = (
            teams,
            teams.where(Team.waits),
            select(func.count()).select_from(Submission).where(sent),
            select(func.count()).where(*scored),
            select(func.count()).where(mine, COUNTS, Evaluation.status.in_(ACTIVE)),
            select(func.count()).select_from(Question).where(*still_open),
            select(func.min(Question.created_at)).where(*still_open),
            select(func.count()).where(*errored),
            select(func.count(Evaluation.team_id.distinct())).where(*errored),
            select(func.count()).where(*scored, ~signed),
            select(func.count()).select_from(CaseRun).join(Evaluation, of_case).where(*parked),
            select(func.count(Evaluation.id.distinct()))
            .select_from(CaseRun)
            .join(Evaluation, of_case)
            .where(*parked),
            select(func.count()).select_from(Endpoint).where(*off),
        )
        row = self.session.execute(select(*(column.scalar_subquery() for column in columns))).one()
        return Counts(*row)

    def needs(self, code: str, urgency: Urgency, sentence: str, todo: str, page: str) -> AttentionOut:
        """Something that needs an organizer; `page` is the part of the control room where it is mended."""
        return AttentionOut(
            code=code, urgency=urgency, sentence=sentence, todo=todo, page=f"{self.here}{page}"
        )
