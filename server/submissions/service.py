"""Taking submissions: checked, counted and queued in one commit, with the wake-up after it."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session, selectinload

from contract.agreements import Before
from contract.ids import CaseId, EvaluationId, SubmissionId, TeamId
from contract.problems import ErrorCode
from contract.statuses import CaseStatus
from evaluator.spec import Challenge as Spec
from server import events, requests
from server.accounts.principals import User
from server.accounts.service import require_scope
from server.agreements.service import require_accepted
from server.challenges import service as challenges
from server.challenges.models import Challenge
from server.clock import now
from server.database import after_commit
from server.datasets.fit import require_fit
from server.datasets.service import current_dataset
from server.disk import Share
from server.errors import BadRequest, Conflict, NotFound
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.suspicion import pause_of_image
from server.ids import new_id
from server.images.service import get_image
from server.published.service import require_unpublished
from server.queue.policy import needs_of
from server.settings import Settings
from server.submissions.checkpoints import require_checkpoint
from server.submissions.models import Submission
from server.submissions.quota import require_attempt
from server.submissions.rejections import require_none_too_many
from server.teams.membership import may_see
from server.teams.models import Team
from server.teams.service import choose_team, require_part
from server.uploads.late import were_under_way
from server.wakeups import wake_run_workers

_log = structlog.get_logger()
MOST_OF_A_KEY = 200
"""Characters of an idempotency key."""


def own_team(session: Session, user: User, challenge: Challenge, team_id: TeamId | None) -> Team:
    """The team that is meant: the named one if the user may act for it, else the user's own."""
    return choose_team(session, user, challenge.id, named=None if team_id is None else str(team_id))


def submit(
    session: Session,
    user: User,
    challenge: Challenge,
    *,
    team_id: TeamId | None,
    track: str,
    phase: str,
    images: Mapping[str, str],
    idempotency_key: str | None,
    settings: Settings,
    commit: str | None = None,
    clean: bool | None = None,
) -> tuple[Submission, bool]:
    """Takes a submission of an image per task; the same idempotency key again returns the first one's.

    Returns the submission and whether it is new. commit, clean: what the team says of git where the images were made.
    """
    at = now(session)
    require_scope(user, "submit")
    idempotency_key = _well_formed(idempotency_key)
    team = own_team(session, user, challenge, team_id)
    # The team's row lock makes counting and taking an attempt one step.
    session.execute(select(Team.id).where(Team.id == team.id).with_for_update(key_share=True))
    old = session.scalar(
        select(Submission).where(Submission.team_id == team.id, Submission.idempotency_key == idempotency_key)
    )
    if old is not None:
        _require_same(old, track, phase, images)
        return old, False
    settings.room(Share.NEW_WORK).require()
    session.refresh(team, ["disqualified", "waits"])  # as it is now that the row is locked
    require_part(team)
    require_accepted(session, user, challenge.id, before=Before.SUBMISSION)
    spec = challenge.spec
    _require_in_time(session, challenge, phase, team=team, images=images, at=at)
    _require_known(spec, track, images)
    require_checkpoint(session, spec, team_id=team.id, track=track, images=images)
    for taken, task in enumerate(images):
        require_none_too_many(session, spec, team_id=team.id, phase=phase, task=task)
        require_attempt(session, spec, team_id=team.id, phase=phase, task=task, track=track, taken=taken)
    submission = Submission(
        challenge_id=challenge.id,
        team_id=team.id,
        created_by=user.id,
        track=track,
        phase=phase,
        images=dict(images),
        idempotency_key=idempotency_key,
        source_commit=commit,
        source_clean=clean,
    )
    session.add(submission)
    session.flush()
    for task, digest in sorted(images.items()):
        _queue(session, challenge, submission, task, digest, settings)
    _tell(session, submission, actor=user.actor)
    after_commit(session, lambda: wake_run_workers(settings.redis_url))
    return submission, True


def _require_known(spec: Spec, track: str, images: Mapping[str, str]) -> None:
    challenges.require_track(spec, track)
    for task in images:
        challenges.require_task(spec, task)


def _tell(session: Session, submission: Submission, *, actor: str) -> None:
    request = requests.current()
    why = None if request is None else f"request {request}"
    events.record(session, "submission", submission.id, actor=actor, what="submitted", why=why)
    said = {"submission": str(submission.id), "tasks": sorted(submission.images)}
    after_commit(session, lambda: _log.info("submitted", **said))


def _require_in_time(
    session: Session, challenge: Challenge, name: str, *, team: Team, images: Mapping[str, str], at: datetime
) -> None:
    """Raises unless the phase is open, or gives time to what was being uploaded when it ended, and this was.

    One that shows published results takes nothing, whatever its dates are.
    """
    phase = challenges.get_phase(challenge.spec, name)
    ended = phase.ended_in_grace(at)
    if ended is None or not were_under_way(session, team.id, images.values(), at=ended):
        challenges.require_open(challenge.spec, name, at=at)
    require_unpublished(session, challenge, name)


def _well_formed(key: str | None) -> str:
    if not key or len(key) > MOST_OF_A_KEY or not key.isprintable():
        detail = f"Send a header Idempotency-Key with 1 to {MOST_OF_A_KEY} characters of your choice."
        raise BadRequest(ErrorCode.IDEMPOTENCY_KEY, detail)
    return key


def _require_same(old: Submission, track: str, phase: str, images: Mapping[str, str]) -> None:
    if (old.track, old.phase, old.images) != (track, phase, images):
        raise Conflict(
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
            "This Idempotency-Key was used for another submission; choose a new one.",
        )


def _queue(
    session: Session, challenge: Challenge, submission: Submission, task: str, digest: str, settings: Settings
) -> None:
    dataset = current_dataset(session, challenge, submission.phase, task, keep=True)
    require_fit(session, dataset, challenge)
    image = get_image(session, submission.team_id, digest)
    limits = challenge.spec.limits_of(task)
    evaluation = Evaluation(
        id=new_id(),
        submission_id=submission.id,
        challenge_id=challenge.id,
        team_id=submission.team_id,
        spec_version_id=challenge.current_version_id,
        dataset_id=dataset.id,
        image_id=image.id,
        task=task,
        track=submission.track,
        phase=submission.phase,
        first_cases=limits.first_cases,
        **needs_of(limits),
        remaining=len(dataset.cases),
    )
    session.add(evaluation)
    session.flush()
    named = sorted((pseudonym(settings, evaluation.id, case.id), case.id) for case in dataset.cases)
    pause = pause_of_image(session, image.id, image.team_id)
    until = now(session) + timedelta(seconds=pause) if pause else None
    rows = [
        {
            "id": new_id(),
            "evaluation_id": evaluation.id,
            "case_id": case_id,
            "position": position,
            "pseudonym": name,
            **_place(parked=until if position < evaluation.first_cases else None),
        }
        for position, (name, case_id) in enumerate(named)
    ]
    session.execute(insert(CaseRun), rows)


def _place(*, parked: datetime | None) -> dict[str, object]:
    """Where a case begins: in the queue, or parked until then."""
    status = CaseStatus.WAITING if parked is None else CaseStatus.PARKED
    return {"status": status, "not_before": parked}


def pseudonym(settings: Settings, evaluation_id: EvaluationId, case_id: CaseId) -> str:
    """A case's name inside the container: HMAC(server key, evaluation, case); it tells nothing and stays."""
    key = settings.secret_key.get_secret_value().encode()
    return "case_" + hmac.new(key, evaluation_id.bytes + case_id.bytes, hashlib.sha256).hexdigest()[:16]


def get_submission(session: Session, user: User, submission_id: SubmissionId) -> Submission:
    """A submission of the user's own team; others' do not exist for them."""
    submission = session.get(Submission, submission_id)
    if submission is None or not may_see(session, user, submission.team_id):
        raise NotFound(ErrorCode.UNKNOWN_SUBMISSION, "There is no such submission among those of your teams.")
    return submission


def list_submissions(
    session: Session, team: Team, *, limit: int, before: SubmissionId | None = None
) -> Sequence[Submission]:
    """A team's submissions with all that is shown of them, newest first; `before`: only those that came earlier.

    Raises:
        NotFound: `before` is none of the team's.
    """
    order = Submission.created_at, Submission.id
    own = Submission.challenge_id == team.challenge_id, Submission.team_id == team.id
    query = select(Submission).where(*own).order_by(*(column.desc() for column in order)).limit(limit)
    if before is not None:
        since = session.execute(select(*order).where(*own, Submission.id == before)).one_or_none()
        if since is None:
            raise NotFound(ErrorCode.UNKNOWN_SUBMISSION, f"'before' is no submission of this team: {before}.")
        query = query.where(tuple_(*order) < tuple_(*since))
    evaluations = selectinload(Submission.evaluations)
    shown = evaluations.selectinload(Evaluation.scores), evaluations.selectinload(Evaluation.spec_version)
    return session.scalars(query.options(*shown)).all()
