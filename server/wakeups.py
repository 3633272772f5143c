"""The one sender of wake-ups. A message only says "look at the queue": the database row is the queue.

So a lost, doubled or late message is harmless, and a broker that does not answer never fails a request, nor delays
one: a thread of its own sends, and what is asked for while it is at it goes out once.
"""

import atexit
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import structlog
from celery import Celery
from kombu.common import Broadcast
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.transport import redis as _transport

from contract.wakeups import (
    FANNED_OUT,
    RUN_QUEUE,
    SCORE_QUEUE,
    SCORES_QUEUE,
    WAKE_CERTAINTY,
    WAKE_CHECK,
    WAKE_RUN,
    WAKE_SCORE,
)

_LAST_SECONDS = 3.0  # for what a process still has to send when it ends

_log = structlog.get_logger()
_ = _transport  # kombu imports it when it first sends, which a program that ends can no longer do


@dataclass(frozen=True)
class WakeUp:
    """One message: its broker, task and queue."""

    redis_url: str
    task: str
    queue: str


class _Sender:
    """Sends in a thread, which ends when nothing is left; every wake-up waits once at most."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Nothing is wanted and no thread runs, as in a process that was just forked."""
        self._wanted: OrderedDict[WakeUp, None] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def send(self, wake_up: WakeUp) -> None:
        """Sends it soon."""
        with self._changed:
            self._wanted[wake_up] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="wake-ups", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Waits a moment until everything is sent, as a command does that ends now."""
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None, timeout=_LAST_SECONDS)

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._wanted:
                    self._thread = None
                    self._changed.notify_all()
                    return
                wake_up, _ = self._wanted.popitem(last=False)
            _deliver(wake_up)


sender = _Sender()
atexit.register(sender.finish)
os.register_at_fork(after_in_child=sender.begin)


@lru_cache(maxsize=4)
def _celery(redis_url: str) -> Celery:
    app = Celery(broker=redis_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_queues=(*map(Broadcast, FANNED_OUT), Queue(SCORE_QUEUE)),
        broker_transport_options={"socket_connect_timeout": 1, "socket_timeout": 2},
    )
    return app


def _deliver(wake_up: WakeUp) -> None:
    try:
        # Celery does not declare a broadcast's exchange when it sends; undeclared, Redis would not fan it out.
        queue = wake_up.queue
        declare = [Exchange(queue, type="fanout")] if queue in FANNED_OUT else None
        _celery(wake_up.redis_url).send_task(
            wake_up.task, queue=queue, expires=60, retry=False, declare=declare
        )
    except (OperationalError, OSError) as error:
        # Beat sends the same wake-up every few seconds, so nothing but a moment is lost.
        _log.warning("wake_up_not_sent", queue=wake_up.queue, error=type(error).__name__)


def wake_run_workers(redis_url: str | None) -> None:
    """Tells run workers that cases wait."""
    if redis_url is not None:
        sender.send(WakeUp(redis_url, WAKE_RUN, RUN_QUEUE))


def wake_score_workers(redis_url: str | None) -> None:
    """Tells score workers that evaluations wait to be scored."""
    if redis_url is not None:
        sender.send(WakeUp(redis_url, WAKE_SCORE, SCORES_QUEUE))


def wake_checkers(redis_url: str | None) -> None:
    """Tells score workers that uploads wait to be checked."""
    if redis_url is not None:
        sender.send(WakeUp(redis_url, WAKE_CHECK, SCORES_QUEUE))


def wake_for_certainty(redis_url: str | None) -> None:
    """Tells score workers that boards have changed, so that how sure their places are may have to be worked out."""
    if redis_url is not None:
        sender.send(WakeUp(redis_url, WAKE_CERTAINTY, SCORE_QUEUE))
