"""Evaluations and their case runs, what they met, and the slots that run them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, false, func, text, true
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from contract.ids import (
    CaseId,
    CaseRunId,
    ChallengeId,
    DatasetId,
    EvaluationId,
    ImageId,
    ReevaluationId,
    SpecVersionId,
    SubmissionId,
    TeamId,
    TokenId,
)
from contract.statuses import CaseStatus, EvaluationStanding, EvaluationStatus, Mode
from evaluator.spec import Limits
from evaluator.verdicts import PlatformFault
from server.challenges.models import SpecVersion
from server.database import Base, Created, Identified, identity
from server.datasets.models import Case, Dataset
from server.evaluations.measured import MeasuredColumns
from server.evaluations.result_models import Score
from server.evaluations.status import ACTIVE, CASE_MOVES, EVALUATION_MOVES
from server.images.models import Image
from server.moves import move


class Evaluation(Created, Base):
    """One submission on one task, against one dataset, spec version and evaluator version.

    `created_at` is when its submission arrived, also of one that a re-evaluation made: what is the latest, and when a
    hidden end is shown, stay as they were. `started_at` and `finished_at` are those of the one that it replaces, from
    when it comes into force.
    """

    __tablename__ = "evaluations"
    __table_args__ = (
        Index(None, "team_id", "phase", "track", "task"),
        Index(
            "ix_evaluations_active",
            "status",
            postgresql_where=text("status in ('queued', 'running', 'scoring')"),
        ),
        Index("ix_evaluations_errored", "finished_at", postgresql_where=text("status = 'errored'")),
        Index(
            "uq_evaluations_in_force",
            "submission_id",
            "task",
            unique=True,
            postgresql_where=text("standing = 'in_force'"),
        ),
        UniqueConstraint("reevaluation_id", "replaces_id", "repetition"),
    )

    id: Mapped[EvaluationId] = identity()
    submission_id: Mapped[SubmissionId] = mapped_column(ForeignKey("submissions.id"), index=True)
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    team_id: Mapped[TeamId] = mapped_column(ForeignKey("teams.id"))
    spec_version_id: Mapped[SpecVersionId] = mapped_column(ForeignKey("spec_versions.id"))
    dataset_id: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"))
    image_id: Mapped[ImageId] = mapped_column(ForeignKey("images.id"))
    task: Mapped[str]
    track: Mapped[str]
    phase: Mapped[str]
    priority: Mapped[int] = mapped_column(default=0)
    # What a slot has to offer, and how many cases run before the rest may; from the limits of the spec version.
    first_cases: Mapped[int]
    cleared: Mapped[bool] = mapped_column(default=False)
    needs_cpus: Mapped[float]
    needs_memory: Mapped[int] = mapped_column(BigInteger)
    needs_gpus: Mapped[int]
    needs_gpu_memory: Mapped[int] = mapped_column(BigInteger)
    needs_runtime: Mapped[str] = mapped_column(default="runc", server_default="runc")
    # Cases without a verdict. It orders the queue; whether an evaluation is through is asked of its case runs.
    remaining: Mapped[int] = mapped_column(default=0, server_default="0")
    # Measured on its cases: their seconds together, and the largest memory of one, on which packing builds.
    seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    peak_gpu_memory_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    fresh_only: Mapped[bool] = mapped_column(default=False, server_default=false())
    status: Mapped[EvaluationStatus] = mapped_column(default=EvaluationStatus.QUEUED)
    standing: Mapped[EvaluationStanding] = mapped_column(
        default=EvaluationStanding.IN_FORCE, server_default=EvaluationStanding.IN_FORCE.value
    )
    # What made it beside another one, in whose place it would come; null for what a submission made.
    reevaluation_id: Mapped[ReevaluationId | None] = mapped_column(
        ForeignKey("reevaluations.id"), default=None
    )
    replaces_id: Mapped[EvaluationId | None] = mapped_column(
        ForeignKey("evaluations.id"), default=None, index=True
    )
    repetition: Mapped[int] = mapped_column(default=1, server_default="1")
    voided: Mapped[str | None] = mapped_column(default=None)  # why an organizer took it off the boards
    reason_code: Mapped[str | None] = mapped_column(default=None)
    reason: Mapped[str | None] = mapped_column(default=None)
    # Why it is ERRORED, for admins alone: which case, on which worker, and the fault's own words.
    trouble: Mapped[str | None] = mapped_column(default=None)
    # Whether it costs its team an attempt, or a place among the failures of a week: not where an admin had it retried
    # when no attempt was left, or excused it.
    spends: Mapped[bool] = mapped_column(default=True, server_default=true())
    evaluator_version: Mapped[str | None] = mapped_column(default=None)
    # How each board was scored, see evaluator.bases; null before it is, and where nothing was kept of it.
    scored_with: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    scoring_claim_no: Mapped[int] = mapped_column(default=0)
    scoring_faults: Mapped[int] = mapped_column(default=0)
    scoring_lease_until: Mapped[datetime | None] = mapped_column(default=None)
    scoring_not_before: Mapped[datetime | None] = mapped_column(default=None)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)

    spec_version: Mapped[SpecVersion] = relationship()
    dataset: Mapped[Dataset] = relationship()
    image: Mapped[Image] = relationship()
    runs: Mapped[list["CaseRun"]] = relationship(order_by="CaseRun.position", back_populates="evaluation")
    scores: Mapped[list[Score]] = relationship(order_by=(Score.board, Score.metric))

    @property
    def is_hidden(self) -> bool:
        """Whether its cases are hidden from its team."""
        return self.spec_version.spec.phases[self.phase].hidden

    @property
    def limits(self) -> Limits:
        """What one of its cases may use."""
        return self.spec_version.spec.limits_of(self.task)

    @property
    def bootstraps(self) -> dict[str, Any]:
        """How the cases of each board were drawn and at which level, as `evaluator.spec.Bootstrap` has it.

        Boards of which nothing was kept are left out.
        """
        bases = self.scored_with or {}
        return {board: base["bootstrap"] for board, base in bases.items() if "bootstrap" in base}

    def move_to(
        self,
        session: Session,
        status: EvaluationStatus,
        *,
        actor: str,
        code: str | None = None,
        why: str | None = None,
    ) -> None:
        """Changes the status and records the event.

        Raises:
            IllegalMove: the table of moves does not hold it.
        """
        self.status = move(
            session,
            "evaluation",
            self.id,
            EVALUATION_MOVES,
            self.status,
            status,
            actor=actor,
            code=code,
            why=why,
        )
        self.reason_code, self.reason = code, why
        if status is EvaluationStatus.RUNNING:
            self.started_at = func.now()
        self.finished_at = None if status in ACTIVE else func.now()


COUNTS = Evaluation.standing == EvaluationStanding.IN_FORCE
"""The one expression of which evaluations count: on boards and for attempts."""

SHOWN = Evaluation.standing.in_((EvaluationStanding.IN_FORCE, EvaluationStanding.VOID))
"""The one expression of which evaluations their teams see: those that count, and those that organizers took away."""


class CaseRun(MeasuredColumns, Base):
    """One case of one evaluation. `claim_no` fences: a write that names an older one is refused."""

    __tablename__ = "case_runs"
    __table_args__ = (
        UniqueConstraint("evaluation_id", "position"),
        Index(
            "ix_case_runs_waiting", "evaluation_id", "position", postgresql_where=text("status = 'waiting'")
        ),
        Index("ix_case_runs_leased", "lease_until", postgresql_where=text("status = 'running'")),
        Index(
            "ix_case_runs_held",
            "worker_id",
            "worker",
            "evaluation_id",
            postgresql_where=text("status = 'running'"),
        ),
        Index(
            "ix_case_runs_parked", "evaluation_id", "not_before", postgresql_where=text("status = 'parked'")
        ),
        Index("ix_case_runs_answered", "worker_id", "finished_at", postgresql_where=text("status = 'done'")),
        Index("ix_case_runs_output", "output", postgresql_where=text("output IS NOT NULL")),
    )

    id: Mapped[CaseRunId] = identity()
    evaluation_id: Mapped[EvaluationId] = mapped_column(ForeignKey("evaluations.id"))
    case_id: Mapped[CaseId] = mapped_column(ForeignKey("cases.id"))
    position: Mapped[int]
    pseudonym: Mapped[str]
    status: Mapped[CaseStatus] = mapped_column(default=CaseStatus.WAITING)
    # The run whose outcome this one has taken over, in a re-evaluation that did not run it again.
    copy_of: Mapped[CaseRunId | None] = mapped_column(ForeignKey("case_runs.id"), default=None)
    claim_no: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(default=None)
    worker_id: Mapped[TokenId | None] = mapped_column(default=None)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    # Files that its last lease has read.
    downloads: Mapped[int] = mapped_column(default=0, server_default="0")
    not_before: Mapped[datetime | None] = mapped_column(default=None)  # while parked: when it waits again
    verdict: Mapped[str | None] = mapped_column(default=None)
    message: Mapped[str | None] = mapped_column(default=None)
    warnings: Mapped[list[str]] = mapped_column(default=list)
    output: Mapped[str | None] = mapped_column(default=None)
    # Of its last lease; once done, how it ran.
    mode: Mapped[Mode | None] = mapped_column(default=None)
    log: Mapped[str | None] = mapped_column(default=None)
    receipt: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)

    evaluation: Mapped[Evaluation] = relationship(back_populates="runs")
    case: Mapped[Case] = relationship()

    @property
    def named(self) -> dict[str, str]:
        """What lines of a log call it by, here and where it runs."""
        return {
            "submission": str(self.evaluation.submission_id),
            "evaluation": str(self.evaluation_id),
            "case_run": f"{self.id}-{self.claim_no}",
        }

    def forget(self) -> None:
        """Drops what came of the last claim, for the case runs again."""
        self.verdict = self.message = self.output = self.log = self.receipt = None
        self.measured = None
        self.lease_until = self.finished_at = None
        self.warnings = []

    def move_to(
        self,
        session: Session,
        status: CaseStatus,
        *,
        actor: str,
        code: str | None = None,
        why: str | None = None,
    ) -> None:
        """Changes the status and records the event.

        Raises:
            IllegalMove: the table of moves does not hold it.
        """
        self.status = move(
            session,
            "case_run",
            self.id,
            CASE_MOVES,
            self.status,
            status,
            actor=actor,
            code=code,
            claim_no=self.claim_no,
            why=why,
        )
        if status is CaseStatus.DONE:
            self.finished_at = func.now()


class Trouble(Identified, Created, Base):
    """One fault of the platform that a case, or without `case_run_id` the scoring of an evaluation, met; for admins.

    `detail` is what the worker said, in the engine's or the scorer's own words. Once an admin has an evaluation of its
    image retried, it does not count any more against either.
    """

    __tablename__ = "troubles"
    __table_args__ = (Index(None, "worker_id", "created_at"),)

    evaluation_id: Mapped[EvaluationId] = mapped_column(ForeignKey("evaluations.id"), index=True)
    case_run_id: Mapped[CaseRunId | None] = mapped_column(ForeignKey("case_runs.id"), default=None)
    image_id: Mapped[ImageId] = mapped_column(ForeignKey("images.id"), index=True)
    worker_id: Mapped[TokenId | None] = mapped_column(default=None)
    worker: Mapped[str | None] = mapped_column(default=None)
    code: Mapped[PlatformFault]
    detail: Mapped[str] = mapped_column(default="")
    counts: Mapped[bool] = mapped_column(default=True, server_default=true())
