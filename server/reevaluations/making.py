"""Making new evaluations beside those that count, in a handful of statements however many they are."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from contract.ids import CaseId, EvaluationId
from contract.statuses import CaseStatus, EvaluationStanding, EvaluationStatus
from evaluator.verdicts import VALID
from server.database import after_commit
from server.evaluations.measured import MeasuredColumns
from server.evaluations.models import CaseRun, Evaluation
from server.events import Event
from server.ids import new_id
from server.queue.policy import needs_of
from server.reevaluations.coverage import Coverage, Target
from server.reevaluations.material import Material
from server.reevaluations.models import Reevaluation
from server.settings import Settings
from server.submissions.service import pseudonym
from server.wakeups import wake_run_workers, wake_score_workers

_MEASURED = tuple(MeasuredColumns.__annotations__)
# What came of a case, as its new run takes it over; where it lies among the cases, and whose it is, is its own.
_TAKEN = (
    "pseudonym",
    "claim_no",
    "worker",
    "worker_id",
    "verdict",
    "message",
    "warnings",
    "output",
    "mode",
    "log",
    "receipt",
    "started_at",
    "finished_at",
    *_MEASURED,
)
_COPY = text(f"""
INSERT INTO case_runs (id, evaluation_id, case_id, position, copy_of, status, faults, downloads, {", ".join(_TAKEN)})
SELECT made.id, made.evaluation_id, made.case_id, made.position, coalesce(old.copy_of, old.id), 'done', 0, 0,
    {", ".join(f"old.{name}" for name in _TAKEN)}
FROM unnest(cast(:ids AS uuid[]), cast(:evaluations AS uuid[]), cast(:cases AS uuid[]), cast(:positions AS int[]),
    cast(:old AS uuid[])) AS made (id, evaluation_id, case_id, position, old)
JOIN case_runs AS old ON old.id = made.old
""")  # noqa: S608 - names of columns, from above
_AT_ONCE = 5000


def make(
    session: Session, reevaluation: Reevaluation, coverage: Coverage, *, actor: str, settings: Settings
) -> int:
    """Makes what is covered, each evaluation as often as it is to be repeated; how many were made.

    Outputs that are taken over were looked for in this unit of work, after `server.naming`.
    """
    rows: list[dict[str, Any]] = []
    copies: list[tuple[Any, ...]] = []
    waiting: list[dict[str, Any]] = []
    for material in coverage.included:
        for repetition in range(1, reevaluation.repetitions + 1):
            row = _row(reevaluation, coverage.target, material, repetition)
            rows.append(row)
            waiting += _waiting(row["id"], material, settings)
            copies += _copies(row["id"], material)
    if not rows:
        return 0
    session.execute(insert(Evaluation), rows)
    if waiting:
        session.execute(insert(CaseRun), waiting)
    for start in range(0, len(copies), _AT_ONCE):
        columns = zip(*copies[start : start + _AT_ONCE], strict=True)
        names = ("ids", "evaluations", "cases", "positions", "old")
        session.execute(_COPY, {name: list(column) for name, column in zip(names, columns, strict=True)})
    _sum_up(session, [row["id"] for row in rows])
    session.execute(insert(Event), [_begin(reevaluation, row, actor) for row in rows])
    redis = settings.redis_url
    if waiting:
        after_commit(session, lambda: wake_run_workers(redis))
    if len({row["id"] for row in rows} - {run["evaluation_id"] for run in waiting}):
        after_commit(session, lambda: wake_score_workers(redis))
    return len(rows)


def _row(reevaluation: Reevaluation, target: Target, material: Material, repetition: int) -> dict[str, Any]:
    old = material.evaluation
    limits = target.spec.limits_of(old.task)
    return {
        "id": new_id(),
        "submission_id": old.submission_id,
        "challenge_id": old.challenge_id,
        "team_id": old.team_id,
        "spec_version_id": target.version.id,
        "dataset_id": material.dataset,
        "image_id": old.image_id,
        "task": old.task,
        "track": old.track,
        "phase": old.phase,
        "priority": reevaluation.priority,
        "first_cases": limits.first_cases,
        "cleared": False,
        **needs_of(limits),
        "remaining": len(material.to_run),
        "fresh_only": old.fresh_only and bool(material.taken),
        "status": _status(material),
        "standing": EvaluationStanding.BESIDE,
        "reevaluation_id": reevaluation.id,
        "replaces_id": old.id,
        "repetition": repetition,
        "spends": old.spends,
        "created_at": old.created_at,
        "started_at": old.started_at if material.taken else None,
    }


def _status(material: Material) -> EvaluationStatus:
    if not material.to_run:
        return EvaluationStatus.SCORING
    return EvaluationStatus.RUNNING if material.taken else EvaluationStatus.QUEUED


def _waiting(evaluation: EvaluationId, material: Material, settings: Settings) -> Iterator[dict[str, Any]]:
    """The cases that run come first, for until one of the first has a valid output no other may."""
    named = sorted((pseudonym(settings, evaluation, case), case) for case in material.to_run)
    for position, (name, case) in enumerate(named):
        yield {
            "id": new_id(),
            "evaluation_id": evaluation,
            "case_id": case,
            "position": position,
            "pseudonym": name,
            "status": CaseStatus.WAITING,
        }


def _copies(evaluation: EvaluationId, material: Material) -> Iterator[tuple[Any, ...]]:
    case: CaseId
    for position, (case, run) in enumerate(material.taken.items(), len(material.to_run)):
        yield new_id(), evaluation, case, position, run


def _sum_up(session: Session, made: Sequence[EvaluationId]) -> None:
    """What an evaluation keeps of its cases, of those that were taken over."""
    own = CaseRun.evaluation_id == Evaluation.id

    def of(function: Any, column: Any) -> Any:
        return select(function(column)).where(own, CaseRun.copy_of.is_not(None)).scalar_subquery()

    valid = select(func.count()).where(own, CaseRun.copy_of.is_not(None), CaseRun.verdict == VALID)
    session.execute(
        update(Evaluation)
        .where(Evaluation.id.in_(made))
        .values(
            seconds=func.coalesce(of(func.sum, CaseRun.seconds), 0.0),
            peak_memory_bytes=of(func.max, CaseRun.peak_memory_bytes),
            peak_gpu_memory_bytes=of(func.max, CaseRun.gpu_memory_bytes),
            cleared=valid.scalar_subquery() > 0,
        ),
        execution_options={"synchronize_session": False},
    )


def _begin(reevaluation: Reevaluation, row: dict[str, Any], actor: str) -> dict[str, Any]:
    return {
        "subject": "evaluation",
        "subject_id": row["id"],
        "new": row["status"],
        "actor": actor,
        "what": "made beside another one",
        "why": f"re-evaluation {reevaluation.id}, in place of {row['replaces_id']}",
    }
