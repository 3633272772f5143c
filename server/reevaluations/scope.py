"""Which evaluations a scope holds: those that count and match every filter."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, String, cast, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload, selectinload

from contract.problems import ErrorCode
from contract.reevaluations import ReevaluationScope
from server.accounts.models import ApiToken
from server.challenges.models import Challenge
from server.datasets.models import Dataset
from server.errors import NotFound
from server.evaluations.models import COUNTS, CaseRun, Evaluation
from server.ids import ids_between
from server.images.models import Image
from server.queue.waiting import Which, require_known
from server.teams.models import Team
from server.teams.service import name_key

Condition = ColumnElement[bool]


def require_names(session: Session, challenge: Challenge, scope: ReevaluationScope) -> None:
    """Refuses names that nothing has: they would look like a scope that holds nothing.

    Raises:
        NotFound: the challenge has no such phase, track, task or team.
        BadRequest: what shall begin an id cannot.
    """
    for phase in scope.phases:
        require_known(session, Which(challenge.slug, phase=phase))
    for track in scope.tracks:
        require_known(session, Which(challenge.slug, track=track))
    for task in scope.tasks:
        require_known(session, Which(challenge.slug, task=task))
    teams = session.execute(select(Team.id, Team.name_key).where(Team.challenge_id == challenge.id)).all()
    known = {name for team in teams for name in (str(team.id), team.name_key)}
    for name in scope.teams:
        if not known & {name, name_key(name)}:
            raise NotFound(ErrorCode.UNKNOWN_TEAM, f"{challenge.slug} has no team {name!r}.")
    for prefix in (*scope.submissions, *scope.evaluations):
        ids_between(prefix)


def held(session: Session, challenge: Challenge, scope: ReevaluationScope) -> Sequence[Evaluation]:
    """The evaluations that count in `challenge` and that `scope` holds, the oldest first, ended or not."""
    query = select(Evaluation).where(COUNTS, Evaluation.challenge_id == challenge.id, *_conditions(scope))
    known = joinedload(Evaluation.image), selectinload(Evaluation.spec_version)
    return session.scalars(query.order_by(Evaluation.created_at, Evaluation.id).options(*known)).all()


def _conditions(scope: ReevaluationScope) -> Iterator[Condition]:
    for column, values in (
        (Evaluation.phase, scope.phases),
        (Evaluation.track, scope.tracks),
        (Evaluation.task, scope.tasks),
        (Evaluation.status, scope.statuses),
        (Evaluation.reason_code, scope.reasons),
        (Evaluation.evaluator_version, scope.evaluator_versions),
    ):
        if values:
            yield column.in_(values)
    for ids, prefixes in ((Evaluation.submission_id, scope.submissions), (Evaluation.id, scope.evaluations)):
        if prefixes:
            yield or_(*(ids.between(*ids_between(prefix)) for prefix in prefixes))
    if scope.teams:
        named = (
            Team.name_key.in_([name_key(team) for team in scope.teams]),
            cast(Team.id, String).in_(scope.teams),
        )
        yield Evaluation.team_id.in_(select(Team.id).where(or_(*named)))
    yield from _of_digests(scope)
    yield from _of_times(scope)
    if cases := list(_of_a_case(scope)):
        yield exists().where(CaseRun.evaluation_id == Evaluation.id, *cases)


def _of_digests(scope: ReevaluationScope) -> Iterator[Condition]:
    if scope.images:
        yield Evaluation.image_id.in_(select(Image.id).where(_begins(Image.digest, scope.images)))
    if scope.datasets:
        yield Evaluation.dataset_id.in_(select(Dataset.id).where(_begins(Dataset.digest, scope.datasets)))


def _of_times(scope: ReevaluationScope) -> Iterator[Condition]:
    if scope.since is not None:
        yield Evaluation.created_at >= scope.since
    if scope.until is not None:
        yield Evaluation.created_at < scope.until


def _of_a_case(scope: ReevaluationScope) -> Iterator[Condition]:
    if scope.verdicts:
        yield CaseRun.verdict.in_(scope.verdicts)
    if scope.workers:
        yield CaseRun.worker.in_(scope.workers)
    if scope.hosts:
        named = ApiToken.name.in_(scope.hosts), cast(ApiToken.id, String).in_(scope.hosts)
        yield CaseRun.worker_id.in_(select(ApiToken.id).where(or_(*named)))
    if scope.ran_since is not None:
        yield CaseRun.finished_at >= scope.ran_since
    if scope.ran_until is not None:
        yield CaseRun.finished_at < scope.ran_until
    if scope.gpus:
        environment, model = CaseRun.receipt["options"]["Env"], CaseRun.receipt["gpu"]["model"].astext
        visible = (environment.contains([f"NVIDIA_VISIBLE_DEVICES={gpu}"]) for gpu in scope.gpus)
        yield or_(func.lower(model).in_([gpu.lower() for gpu in scope.gpus]), *visible)


def _begins(digest: InstrumentedAttribute[str], prefixes: Sequence[str]) -> Condition:
    """Written with or without sha256:."""
    whole = (f"sha256:{prefix.strip().lower().removeprefix('sha256:')}" for prefix in prefixes)
    return or_(*(digest.startswith(beginning, autoescape=True) for beginning in whole))
