"""The Celery side of a score worker: scores, checks of images, cases and the clock, none of which waits for another.

Scores, checks and consignments each have a lane. The worker has a thread for every place of all of them and some
more, so the clock, and a wake-up that finds its lane full, always find one.
"""

import os
from functools import cache, partial
from typing import Any

import structlog
from celery.signals import worker_ready
from sqlalchemy.exc import SQLAlchemyError

from contract.logs import configure
from contract.metrics import listen
from contract.wakeups import SCORE_QUEUE, SCORES_QUEUE, SWEEP, TICK, WAKE_CERTAINTY, WAKE_CHECK, WAKE_SCORE
from server.audit.service import seal_all
from server.blobs import BlobsAway
from server.consignments.service import forget
from server.database import SessionFactory, unit_of_work
from server.editions.keeping import keep_found
from server.evaluations import faults
from server.evaluations.receipt_keys import require_own_key
from server.evaluations.ticks import AT_ONCE
from server.leaderboard.keeping import work_out
from server.queue.admission import forget_old_slots
from server.settings import Settings
from server.storage.sweep import sweep as sweep_all
from server.tables import open_database
from server.uploads.service import expire_uploads
from server.wakeups import wake_checkers, wake_score_workers
from worker.app import make_app
from worker.score.consignments import work_off
from worker.score.evaluations import score_waiting
from worker.score.images import check_waiting
from worker.score.lanes import WorkLane
from worker.score.lookout import tell_of_time
from worker.score.presence import Presence
from worker.score.pushes import find_pushed, take_pushed
from worker.score.reevaluations import advance_ended
from worker.score.reference_submissions import try_waiting

NAME = "PROCTOR_SCORE_WORKER"
"""The variable in which the command line leaves this worker's name."""
_SPARE_THREADS = 2

app = make_app("worker.score.tasks")
_log = structlog.get_logger()


@cache
def settings() -> Settings:
    """This process's settings."""
    return Settings()  # type: ignore[call-arg]  # fields are filled from the environment


@cache
def sessions() -> SessionFactory:
    """This process's session factory; what boards show already is told as the server tells it."""
    opened = open_database(settings().database_url)
    opened.configure(info={AT_ONCE: not settings().hold_ends})
    return opened


@cache
def _scores() -> WorkLane:
    return WorkLane(settings().scores_at_once)


@cache
def _checks() -> WorkLane:
    return WorkLane(settings().checks_at_once)


@cache
def _consignments() -> WorkLane:
    return WorkLane(1)


@cache
def _pushes() -> WorkLane:
    return WorkLane(1)


@cache
def _searches() -> WorkLane:
    return WorkLane(1)


@cache
def _certainties() -> WorkLane:
    return WorkLane(1)


@cache
def presence() -> Presence:
    """This worker among all score workers, which may have the same name on other hosts."""
    return Presence(f"{os.environ.get(NAME, 'score')}@{os.uname().nodename}", settings().scores_challenges)


def threads() -> int:
    """How many a score worker needs. Asked before it starts, so that no two threads each make a lane of their own."""
    lanes = (_scores(), _checks(), _consignments(), _certainties(), _pushes(), _searches())
    return sum(lane.width for lane in lanes) + _SPARE_THREADS


def require_secret_key() -> None:
    """Refuses to sign receipts with another key than the installation's; a database that does not answer is not one.

    Raises:
        Conflict: the secret key is another one.
    """
    try:
        with unit_of_work(sessions()) as session:
            require_own_key(session, settings())
    except SQLAlchemyError:
        _log.warning("secret_key_not_checked")


@app.task(name=WAKE_SCORE, queue=SCORES_QUEUE)  # type: ignore[untyped-decorator]
def score() -> None:
    """Evaluations may wait for their scores, and behind them reference submissions."""
    presence().show(sessions())
    _scores().enter(_score_all)


def _score_all() -> None:
    score_waiting(sessions(), settings())
    try_waiting(sessions(), settings())


@app.task(name=WAKE_CHECK, queue=SCORES_QUEUE)  # type: ignore[untyped-decorator]
def check() -> None:
    """Pushes may wait to be fetched, uploads for their check, and what organizers sent for cases to be made of it."""
    _pushes().enter(partial(take_pushed, sessions(), settings()))
    _checks().enter(partial(check_waiting, sessions(), settings()))
    _consignments().enter(partial(work_off, sessions(), settings()))


@app.task(name=WAKE_CERTAINTY, queue=SCORE_QUEUE)  # type: ignore[untyped-decorator]
def certainty() -> None:
    """How sure places are may have to be worked out: something that boards show has changed."""
    _certainties().enter(partial(work_out, sessions()))


@app.task(name=TICK, queue=SCORE_QUEUE)  # type: ignore[untyped-decorator]
def tick() -> None:
    """Parks cases whose lease has run out, puts back those parked long enough, and removes what nobody needs any more.

    That is uploads that were never finished, and slots that were not seen for a month. Re-evaluations whose evaluations
    have ended go on, who is to be told of what has come by now is told, what happened since is sealed, and leaderboards
    that were released before editions were kept get their first one.
    """
    with unit_of_work(sessions()) as session:
        expired = faults.expire_leases(session, settings=settings())
        faults.revive_parked(session, settings=settings())
        forget_old_slots(session)
        expire_uploads(session, uploads=settings().uploads)
    advance_ended(sessions(), settings())
    tell_of_time(sessions(), settings())
    seal_all(sessions())
    keep_found(sessions())
    if expired:
        _log.warning("leases_expired", count=expired)


@app.task(name=SWEEP, queue=SCORE_QUEUE)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Removes what nothing refers to any more, forgets what is told for a while, seals events that came late."""
    seal_all(sessions(), thorough=True)
    with unit_of_work(sessions()) as session:
        forget(session)
    _sweep_blobs()
    _searches().enter(
        partial(find_pushed, sessions(), settings())
    )  # a registry takes as long as it takes: last


def _sweep_blobs() -> None:
    try:
        swept = sweep_all(sessions(), settings())
    except BlobsAway as away:
        _log.error("blobs_not_swept", why=away.why)
        return
    _log.info("swept", blobs=swept.blobs, files=swept.files, bytes=swept.bytes)


@worker_ready.connect  # type: ignore[untyped-decorator]
def _ready(**_: Any) -> None:
    configure()
    listen(settings().metrics_address)
    presence().show(sessions())
    _log.info(
        "score_worker_ready",
        scores_at_once=_scores().width,
        checks_at_once=_checks().width,
        challenges=", ".join(settings().scores_challenges) or "all",
    )
    # What was sent before this worker listened reached the others alone, and they may leave it to this one.
    wake_score_workers(settings().redis_url)
    wake_checkers(settings().redis_url)
