"""Cases that a container for several has answered, run once more in one of their own."""

import threading
from collections.abc import Callable
from dataclasses import replace

from evaluator.spec import Limits
from sandbox.jobs import CaseOutcome, Slot
from sandbox.options import cores
from worker.run.ahead import share
from worker.run.cases import Running


class Repeats:
    """Cases to be run once more: one at a time beside the serving container in a part of the slot, or else after it."""

    def __init__(self, compare: Callable[[Running, CaseOutcome], None], beside: Slot | None) -> None:
        self._compare, self._beside = compare, beside
        self._later: list[tuple[Running, CaseOutcome]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def wait_for_the_slot(self) -> bool:
        """Whether there are cases that can only run once no container serves."""
        return self._beside is None and bool(self._later)

    def add(self, running: Running, outcome: CaseOutcome) -> None:
        """Takes over a case that was served."""
        if self._beside is not None:
            running.job = replace(running.job, slot=self._beside)
        with self._lock:
            self._later.append((running, outcome))
            if self._beside is not None and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="repeats")
                self._thread.start()

    def finish(self) -> None:
        """Returns when every case has been compared; no serving container may wait for that."""
        thread = self._thread
        if thread is not None:
            thread.join()
        self._run()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._later:
                    self._thread = None
                    return
                running, outcome = self._later.pop(0)
            self._compare(running, outcome)


def halves(slot: Slot, memory: int, limits: Limits) -> tuple[Slot, Slot] | None:
    """Two parts of a slot (`memory` in bytes) that each have all that a container may use; None if it has less."""
    if slot.gpu_uuid is not None or slot.cpuset is None:
        return None
    if len(cores(slot.cpuset)) < 2 * limits.cpus or memory < 2 * limits.memory:
        return None
    one, other = share(slot, memory, 2)
    return None if one is None or other is None else (one, other)
