"""What is kept of workers: what run workers' slots offer and how they behave, what teams had of them, who scores."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, false, func
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import EvaluationId, ImageId, TeamId, TokenId
from server.database import Base


class Conduct:
    """Mixin of a slot: what came of the cases it was leased, and until when it is leased no other.

    A case is handed back (the worker stops), faulted (it names a fault of the platform) or abandoned (its lease ran
    out). `strikes` grow with each of these and shrink with each case that is finished.
    """

    finished: Mapped[int] = mapped_column(default=0, server_default="0")
    handed_back: Mapped[int] = mapped_column(default=0, server_default="0")
    abandoned: Mapped[int] = mapped_column(default=0, server_default="0")
    faulted: Mapped[int] = mapped_column(default=0, server_default="0")
    strikes: Mapped[int] = mapped_column(default=0, server_default="0")
    struck_at: Mapped[datetime | None] = mapped_column(default=None)
    # When it last made an entry in the event log.
    told_at: Mapped[datetime | None] = mapped_column(default=None)
    paused_until: Mapped[datetime | None] = mapped_column(default=None)


class WorkerSlot(Conduct, Base):
    """What a slot of a run worker last offered and when, what it runs or ran last, and why it takes no work."""

    __tablename__ = "worker_slots"

    worker_id: Mapped[TokenId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    cpus: Mapped[float]
    memory: Mapped[int] = mapped_column(BigInteger)
    gpus: Mapped[int]
    gpu_memory: Mapped[int] = mapped_column(BigInteger)
    gpu_model: Mapped[str | None] = mapped_column(default=None)
    gpu_driver: Mapped[str | None] = mapped_column(default=None)
    gpu_cuda: Mapped[str | None] = mapped_column(default=None)
    runtimes: Mapped[list[str]] = mapped_column(default=list, server_default='["runc"]')
    most: Mapped[int] = mapped_column(default=1, server_default="1")
    invoke: Mapped[bool] = mapped_column(default=False, server_default=false())
    unfit: Mapped[str | None] = mapped_column(default=None)
    examining_since: Mapped[datetime | None] = mapped_column(default=None)
    draining_since: Mapped[datetime | None] = mapped_column(default=None)
    # What it was leased last. While it holds a case, `charged_at` says up to when its time is in `team_usage`.
    evaluation_id: Mapped[EvaluationId | None] = mapped_column(default=None)
    team_id: Mapped[TeamId | None] = mapped_column(default=None)
    image_id: Mapped[ImageId | None] = mapped_column(default=None)
    charged_at: Mapped[datetime | None] = mapped_column(default=None)
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class TeamUsage(Base):
    """Slot seconds that a team had lately, halved every hour: what they were worth at `as_of`."""

    __tablename__ = "team_usage"

    team_id: Mapped[TeamId] = mapped_column(ForeignKey("teams.id"), primary_key=True)
    seconds: Mapped[float]
    as_of: Mapped[datetime]


class ScoreWorker(Base):
    """A score worker by its name and host, the challenges that it scores (none: all), and when it was seen."""

    __tablename__ = "score_workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    challenges: Mapped[list[str]] = mapped_column(default=list)
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
