"""How things stand, looked up when Prometheus asks: never in a request's way, and the database at most every 5 s."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine, QueuePool, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from server.backups import last_backup
from server.blobs import why_away
from server.challenges.models import Challenge
from server.database import connect
from server.disk import Room, Share
from server.evaluations.models import COUNTS, CaseRun, Evaluation
from server.evaluations.status import ACTIVE, HAS_CASES
from server.front.lanes import Lane
from server.queue.slots import slot_states
from server.settings import Settings

_FRESH = 5.0
_log = structlog.get_logger()


class Gauges(Collector):
    """Of the installation, with a connection of its own; `pool` is the one that requests use."""

    def __init__(self, settings: Settings, pool: Engine, lanes: Mapping[str, Lane]) -> None:
        self._settings, self._pool, self._lanes = settings, pool, lanes
        self._engine = connect(settings.database_url, pool_size=1, overflow=0)
        self._lock = threading.Lock()
        self._looked_at, self._known = float("-inf"), list[Metric]()

    def close(self) -> None:
        """Closes the connection."""
        self._engine.dispose()

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        with self._lock:
            if time.monotonic() - self._looked_at >= _FRESH:
                self._known, self._looked_at = self._look(), time.monotonic()
        yield from self._known
        yield from self._of_process()
        yield from self._of_disk()
        there = why_away(self._settings.blobs_place) is None
        yield _one("proctor_blobs_answer", "Whether the bucket that holds the blobs answers.", int(there))

    def _look(self) -> list[Metric]:
        answers = _one("proctor_database_answers", "Whether the database answers.", 1)
        try:
            with Session(self._engine) as session:
                return [
                    answers,
                    *_of_queue(session),
                    *_to_run(session),
                    _of_cases(session),
                    _of_slots(session),
                ]
        except SQLAlchemyError as error:
            _log.warning("figures_not_known", error=type(error).__name__)
            return [_one("proctor_database_answers", "Whether the database answers.", 0)]

    def _of_process(self) -> Iterator[Metric]:
        pool = self._pool.pool
        if isinstance(pool, QueuePool):
            used = pool.checkedout()
            yield _one("proctor_database_connections_in_use", "Connections that requests hold.", used)
        inside = GaugeMetricFamily("proctor_lane_inside", "Requests that a lane let in.", labels=["lane"])
        waiting = GaugeMetricFamily(
            "proctor_lane_waiting", "Requests that wait for their turn.", labels=["lane"]
        )
        for name, lane in self._lanes.items():
            inside.add_metric([name], lane.running)
            waiting.add_metric([name], lane.waiting)
        yield from (inside, waiting)

    def _of_disk(self) -> Iterator[Metric]:
        room = Room(self._settings.data, 0).left()
        yield _one("proctor_disk_free_bytes", "Bytes that are free on the data disk.", room)
        left = self._settings.room(Share.UPLOADS).left()
        yield _one("proctor_disk_for_uploads_bytes", "Bytes that uploads may still take.", left)
        if (made := last_backup(self._settings.data)) is not None:
            what = "When the last whole backup was made; absent where none is known."
            yield _one("proctor_last_backup_timestamp_seconds", what, made.timestamp())


def _one(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)


def _of_queue(session: Session) -> Iterable[Metric]:
    """By phase: how long the oldest evaluation waits, and how many evaluations and cases have not ended."""
    age = func.extract("epoch", func.now() - func.min(Evaluation.created_at))
    rows = session.execute(
        select(Challenge.slug, Evaluation.phase, age, func.count(), func.sum(Evaluation.remaining))
        .join(Challenge, Challenge.id == Evaluation.challenge_id)
        .where(COUNTS, Evaluation.status.in_(HAS_CASES))
        .group_by(Challenge.slug, Evaluation.phase)
    ).all()
    labels = ["challenge", "phase"]
    oldest = GaugeMetricFamily(
        "proctor_queue_oldest_seconds", "Age of the oldest evaluation that has cases to run.", labels=labels
    )
    waiting = GaugeMetricFamily(
        "proctor_queue_evaluations", "Evaluations that have cases to run.", labels=labels
    )
    cases = GaugeMetricFamily("proctor_queue_cases", "Cases of these without a verdict.", labels=labels)
    for slug, phase, seconds, count, left in rows:
        oldest.add_metric([slug, phase], float(seconds))
        waiting.add_metric([slug, phase], count)
        cases.add_metric([slug, phase], left)
    return oldest, waiting, cases


def _to_run(session: Session) -> Iterable[Metric]:
    """Cases for whoever adds and takes away run workers, which asks for one figure without labels."""
    gpu = Evaluation.needs_gpus > 0
    cases = func.coalesce(func.sum(Evaluation.remaining).filter(gpu), 0)
    others = func.coalesce(func.sum(Evaluation.remaining).filter(~gpu), 0)
    with_gpu, without = session.execute(select(cases, others).where(Evaluation.status.in_(HAS_CASES))).one()
    yield _one(
        "proctor_gpu_cases_to_run", "Cases without a verdict that need a GPU, running ones too.", with_gpu
    )
    yield _one(
        "proctor_cpu_cases_to_run", "Cases without a verdict that need none, running ones too.", without
    )


def _of_cases(session: Session) -> Metric:
    """Cases of evaluations under way, by phase and status."""
    rows = session.execute(
        select(Challenge.slug, Evaluation.phase, CaseRun.status, func.count())
        .join(Evaluation, Evaluation.id == CaseRun.evaluation_id)
        .join(Challenge, Challenge.id == Evaluation.challenge_id)
        .where(Evaluation.status.in_(ACTIVE))
        .group_by(Challenge.slug, Evaluation.phase, CaseRun.status)
    )
    found = GaugeMetricFamily(
        "proctor_cases",
        "Cases of evaluations that have not ended, by status.",
        labels=["challenge", "phase", "status"],
    )
    for slug, phase, status, count in rows:
        found.add_metric([slug, phase, status], count)
    return found


def _of_slots(session: Session) -> Metric:
    found = GaugeMetricFamily("proctor_slots", "Slots of run workers by state.", labels=["state"])
    counts = dict.fromkeys(("working", "idle", "draining", "unfit", "gone"), 0)
    for state in slot_states(session):
        name = state.state
        if state.takes_work:
            name = "working" if state.running else "idle"
        elif name == "drained":
            name = "draining"
        if name in counts:
            counts[name] += 1
    for name, count in counts.items():
        found.add_metric([name], count)
    return found
