"""The Celery applications. Celery brings wake-ups to the machines; the database row is the queue.

Wake-ups of run workers are broadcast, so that every idle slot looks at the queue; so are those of score workers, for
each may take other challenges. The clock wakes one of these. Beat repeats every wake-up: one that is lost, doubled or
late costs a moment and nothing else.
"""

import os

from celery import Celery
from kombu.common import Broadcast
from kombu.entity import Exchange, Queue

from contract.wakeups import (
    FANNED_OUT,
    RUN_QUEUE,
    SCORE_QUEUE,
    SCORES_QUEUE,
    SWEEP,
    TICK,
    WAKE_CERTAINTY,
    WAKE_CHECK,
    WAKE_RUN,
    WAKE_SCORE,
)


def make_app(*modules: str) -> Celery:
    """A Celery application with the tasks of `modules`; JSON only, no results, messages expire."""
    celery = Celery("proctor", broker=os.environ.get("REDIS_URL"), include=list(modules))
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_queues=(*map(Broadcast, FANNED_OUT), Queue(SCORE_QUEUE)),
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        beat_schedule={
            "wake run workers": _every(5, WAKE_RUN, RUN_QUEUE),
            "wake score workers": _every(5, WAKE_SCORE, SCORES_QUEUE),
            "wake checkers": _every(5, WAKE_CHECK, SCORES_QUEUE),
            "work out certainty": _every(10, WAKE_CERTAINTY, SCORE_QUEUE),
            "expire leases": _every(3, TICK, SCORE_QUEUE),
            "sweep": _every(3600, SWEEP, SCORE_QUEUE),
        },
        beat_max_loop_interval=1,
    )
    return celery


def _every(seconds: float, task: str, queue: str) -> dict[str, object]:
    options: dict[str, object] = {"queue": queue, "expires": 2 * seconds}
    if queue in FANNED_OUT:
        # Celery does not declare a broadcast's exchange when it sends; undeclared, Redis would not fan it out.
        options["declare"] = [Exchange(queue, type="fanout")]
    return {"task": task, "schedule": seconds, "options": options}


app = make_app()
