"""Keeping what a score worker has taken while it works on it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import exc
from sqlalchemy.orm import Session

from server.database import SessionFactory, unit_of_work
from server.errors import Conflict

DATABASE_AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
"""It is restarted, full or busy; what it refuses to store is a defect of ours instead."""

_log = structlog.get_logger()


@contextmanager
def kept(sessions: SessionFactory, renew: Callable[[Session], None], *, every: float) -> Iterator[None]:
    """Renews a lease while the block runs, every so many seconds, until `renew` says by a Conflict that it is lost.

    A database that does not answer is asked again the next time; what is lost meanwhile is found at the end.
    """
    over = threading.Event()

    def renewing() -> None:
        while not over.wait(every):
            try:
                with unit_of_work(sessions) as session:
                    renew(session)
            except Conflict:
                return
            except DATABASE_AWAY as error:
                _log.warning("lease_not_renewed", error=type(error).__name__)

    thread = threading.Thread(target=renewing, name="renew-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
