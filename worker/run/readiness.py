"""Whether a slot may lease a case: one that cannot run it now would only collect faults."""

import shutil
import threading
import time
from pathlib import Path

import structlog

from evaluator.verdicts import PlatformFault
from sandbox.faults import EngineFault
from worker.run.engine_connection import EngineConnection

_log = structlog.get_logger()

_LEAST_FREE = 64 * 2**20
_PAUSE_AFTER_FAULT = 5.0
"""Seconds a slot waits after a platform fault, so that a broken host does not burn through the queue."""


class Readiness:
    """Whether the slot is to go on and its host can run a case, and the pause after a fault of the platform."""

    def __init__(self, folder: Path, connection: EngineConnection, stopping: threading.Event) -> None:
        self._folder, self._connection, self._stopping = folder, connection, stopping
        self._rest_until = 0.0

    def note_fault(self) -> None:
        """The platform failed here: the slot has a pause, and connects to the engine anew."""
        self._rest_until = time.monotonic() + _PAUSE_AFTER_FAULT
        self._connection.close()

    def rests(self) -> bool:
        """Whether the slot has a pause, and has not been told to stop."""
        return time.monotonic() < self._rest_until and not self._stopping.is_set()

    def wait(self) -> None:
        """Returns when the pause is over, or the slot is told to stop."""
        self._stopping.wait(max(0.0, self._rest_until - time.monotonic()))

    def may_lease(self) -> bool:
        """Whether this host can run a case now; asks the engine, and begins a pause where it cannot."""
        if self._stopping.is_set() or self.rests():
            return False
        try:
            if shutil.disk_usage(self._folder).free < _LEAST_FREE:
                raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "the workers' folder has no room")
            self._connection.engine().ping()
        except EngineFault as fault:
            _log.warning("host_not_ready", fault=fault.fault, detail=fault.detail)
            self.note_fault()
            return False
        return True
