"""The one sender of wake-ups. A message only says "look at the queue": the database row is the queue,.

so a lost, doubled or late message is harmless, and a broker that does not answer never fails a request.
"""

from functools import lru_cache

import structlog
from celery import Celery
from kombu.common import Broadcast
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError

RUN_QUEUE = "run"
SCORE_QUEUE = "score"
WAKE_RUN = "proctor.run.wake"
WAKE_SCORE = "proctor.score.wake"

_log = structlog.get_logger()


@lru_cache(maxsize=4)
def _sender(redis_url: str) -> Celery:
    app = Celery(broker=redis_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_queues=(Broadcast(RUN_QUEUE), Queue(SCORE_QUEUE)),
        broker_transport_options={"socket_connect_timeout": 1, "socket_timeout": 2},
    )
    return app


def _send(redis_url: str | None, task: str, queue: str) -> None:
    if redis_url is None:
        return
    try:
        # Celery does not declare a broadcast's exchange when it sends; undeclared, Redis would not fan it out.
        declare = [Exchange(RUN_QUEUE, type="fanout")] if queue == RUN_QUEUE else None
        _sender(redis_url).send_task(task, queue=queue, expires=60, retry=False, declare=declare)
    except (OperationalError, OSError) as error:
        # Beat sends the same wake-up every few seconds, so nothing but a moment is lost.
        _log.warning("wake_up_not_sent", queue=queue, error=type(error).__name__)


def wake_run_workers(redis_url: str | None) -> None:
    """Tells run workers that cases wait."""
    _send(redis_url, WAKE_RUN, RUN_QUEUE)


def wake_score_workers(redis_url: str | None) -> None:
    """Tells score workers that uploads wait to be checked or evaluations to be scored."""
    _send(redis_url, WAKE_SCORE, SCORE_QUEUE)
