"""What there is to be found: of each kind whose it is, the line that names it, and by what it is looked for."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Subquery,
    Uuid,
    and_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
)

from contract.events import Subject
from contract.ids import ChallengeId
from server.accounts.models import Account, ApiToken, TokenKind
from server.agreements.models import Agreement
from server.challenges.models import Challenge, SpecVersion
from server.datasets.models import Dataset
from server.evaluations.models import CaseRun, Evaluation
from server.ids import ids_between
from server.images.models import Image
from server.questions.models import Question
from server.reevaluations.models import Reevaluation
from server.submissions.models import Submission
from server.teams.models import Membership, Team
from server.uploads.models import Upload

_BEYOND = "g"
"""Sorts after every hexadecimal digit, in any collation."""


@dataclass(frozen=True)
class Kind:
    """Things of one kind as a query finds them.

    `challenge`: null where it is the installation's, and `own` then says which of it organizers of challenges may find;
    `origin`: the submission that it came of. `names` are searched for a text, `digests` for how one begins, and
    `digest_lists` for whole digests within a text.
    """

    subject: Subject
    tables: Any
    id: ColumnElement[Any]
    at: ColumnElement[Any]
    title: Sequence[ColumnElement[Any]]
    challenge: ColumnElement[Any] | None = None
    origin: ColumnElement[Any] | None = None
    names: Sequence[ColumnElement[Any]] = ()
    digests: Sequence[ColumnElement[Any]] = ()
    digest_lists: Sequence[ColumnElement[Any]] = ()
    only: ColumnElement[bool] | None = None
    members: bool = False

    def found(self, wanted: "Wanted") -> Subquery | None:
        """The newest of what is wanted, one more than is to be listed; None where nothing of this kind can be."""
        ways = list(self._ways(wanted))
        if not ways or (self.challenge is None and wanted.within is not None and not self.members):
            return None
        absent = cast(null(), Uuid())
        query: Select[Any] = select(
            literal(self.subject.value).label("kind"),
            cast(self.id, Uuid()).label("id"),
            (absent if self.challenge is None else cast(self.challenge, Uuid())).label("challenge"),
            (absent if self.origin is None else cast(self.origin, Uuid())).label("origin"),
            func.concat_ws(" · ", *self.title).label("title"),
            self.at.label("at"),
        )
        query = query.select_from(self.tables).where(or_(*ways))
        if self.only is not None:
            query = query.where(self.only)
        if wanted.within is not None:
            query = query.where(self._of(wanted.within))
        return query.order_by(self.at.desc(), self.id.desc()).limit(wanted.most + 1).subquery()

    def _of(self, within: Collection[ChallengeId]) -> ColumnElement[bool]:
        if self.challenge is not None:
            return self.challenge.in_(within)
        member = select(Membership.user_id).where(Membership.challenge_id.in_(within))
        return self.id.in_(member)

    def _ways(self, wanted: "Wanted") -> Iterator[ColumnElement[bool]]:
        if wanted.ids:
            yield self.id.in_(wanted.ids)
        if wanted.id is not None:
            yield self.id.between(*ids_between(wanted.id))
        if wanted.text is not None:
            yield from (name.icontains(wanted.text, autoescape=True) for name in self.names)
        if wanted.digest is not None:
            for digest in self.digests:
                for begins in (wanted.digest, f"sha256:{wanted.digest}"):
                    yield and_(digest >= begins, digest < begins + _BEYOND)
            yield from (cast(column, String).contains(wanted.digest) for column in self.digest_lists)


@dataclass(frozen=True)
class Wanted:
    """What is looked for: how an id or a digest (hexadecimal digits alone) begins, or a text in a name.

    `within`: only in these challenges; `most`: of each kind; `ids`: or what has one of these.
    """

    id: str | None
    digest: str | None
    text: str | None
    within: Collection[ChallengeId] | None
    most: int
    ids: Collection[UUID] = ()


_runs = Evaluation.__table__.join(Team.__table__, Team.id == Evaluation.team_id)
_in_team = {
    model: model.__table__.join(Team.__table__, Team.id == model.team_id)
    for model in (Submission, Image, Upload)
}
_WORKER = ApiToken.kind == TokenKind.WORKER

KINDS = (
    Kind(
        Subject.CHALLENGE,
        Challenge.__table__,
        Challenge.id.expression,
        Challenge.created_at.expression,
        (Challenge.slug.expression,),
        challenge=Challenge.id.expression,
        names=(Challenge.slug.expression,),
    ),
    Kind(
        Subject.CHALLENGE,
        SpecVersion.__table__,
        SpecVersion.challenge_id.expression,
        SpecVersion.created_at.expression,
        (literal("version"), SpecVersion.digest.expression),
        challenge=SpecVersion.challenge_id.expression,
        digests=(SpecVersion.digest.expression,),
    ),
    Kind(
        Subject.TEAM,
        Team.__table__,
        Team.id.expression,
        Team.created_at.expression,
        (Team.name.expression,),
        challenge=Team.challenge_id.expression,
        names=(Team.name.expression,),
    ),
    Kind(
        Subject.USER,
        Account.__table__,
        Account.id.expression,
        Account.created_at.expression,
        (Account.name.expression, Account.email.expression),
        names=(Account.name.expression, Account.email.expression),
        members=True,
    ),
    Kind(
        Subject.SUBMISSION,
        _in_team[Submission],
        Submission.id.expression,
        Submission.created_at.expression,
        (Team.name.expression, Submission.phase.expression, Submission.track.expression),
        challenge=Submission.challenge_id.expression,
        origin=Submission.id.expression,
    ),
    Kind(
        Subject.EVALUATION,
        _runs,
        Evaluation.id.expression,
        Evaluation.created_at.expression,
        tuple(
            column.expression
            for column in (
                Team.name,
                Evaluation.phase,
                Evaluation.track,
                Evaluation.task,
                Evaluation.status,
                Evaluation.reason_code,
            )
        ),
        challenge=Evaluation.challenge_id.expression,
        origin=Evaluation.submission_id.expression,
    ),
    Kind(
        Subject.CASE_RUN,
        CaseRun.__table__.join(_runs, Evaluation.id == CaseRun.evaluation_id),
        CaseRun.id.expression,
        Evaluation.created_at.expression,
        (
            Team.name.expression,
            Evaluation.phase.expression,
            Evaluation.task.expression,
            CaseRun.pseudonym.expression,
            func.coalesce(CaseRun.verdict, cast(CaseRun.status, String)),
        ),
        challenge=Evaluation.challenge_id.expression,
        origin=Evaluation.submission_id.expression,
        digests=(CaseRun.output.expression,),
    ),
    Kind(
        Subject.IMAGE,
        _in_team[Image],
        Image.id.expression,
        Image.created_at.expression,
        (Team.name.expression, Image.digest.expression),
        challenge=Team.challenge_id.expression,
        digests=(Image.digest.expression,),
        digest_lists=(Image.facts.expression,),
    ),
    Kind(
        Subject.UPLOAD,
        _in_team[Upload],
        Upload.id.expression,
        Upload.created_at.expression,
        (Team.name.expression, Upload.filename.expression, Upload.status.expression),
        challenge=Team.challenge_id.expression,
        names=(Upload.filename.expression,),
        digests=(Upload.sha256.expression,),
    ),
    Kind(
        Subject.DATASET,
        Dataset.__table__,
        Dataset.id.expression,
        Dataset.created_at.expression,
        tuple(column.expression for column in (Dataset.phase, Dataset.task, Dataset.state, Dataset.digest)),
        challenge=Dataset.challenge_id.expression,
        digests=(Dataset.digest.expression,),
    ),
    Kind(
        Subject.REEVALUATION,
        Reevaluation.__table__,
        Reevaluation.id.expression,
        Reevaluation.created_at.expression,
        tuple(column.expression for column in (Reevaluation.mode, Reevaluation.state, Reevaluation.why)),
        challenge=Reevaluation.challenge_id.expression,
    ),
    Kind(
        Subject.QUESTION,
        Question.__table__,
        Question.id.expression,
        Question.created_at.expression,
        (Question.status.expression, func.left(func.coalesce(Question.text, Question.published), 80)),
        challenge=Question.challenge_id.expression,
        names=(Question.text.expression, Question.published.expression),
    ),
    Kind(
        Subject.AGREEMENT,
        Agreement.__table__,
        Agreement.id.expression,
        Agreement.created_at.expression,
        (Agreement.document.expression, Agreement.title.expression, Agreement.digest.expression),
        challenge=Agreement.challenge_id.expression,
        names=(Agreement.title.expression,),
        digests=(Agreement.digest.expression,),
    ),
    Kind(
        Subject.WORKER,
        ApiToken.__table__,
        ApiToken.id.expression,
        ApiToken.created_at.expression,
        (ApiToken.name.expression,),
        names=(ApiToken.name.expression,),
        only=_WORKER,
    ),
    Kind(
        Subject.TOKEN,
        ApiToken.__table__,
        ApiToken.id.expression,
        ApiToken.created_at.expression,
        (ApiToken.kind.expression, ApiToken.name.expression),
        only=~_WORKER,
    ),
)
"""All of it, in the order in which it is listed."""
