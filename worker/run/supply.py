"""The cases of a batch that are served in turn: while one is answered, the inputs of the next ones are fetched."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from worker.run.ahead import Batch
from worker.run.cases import Running
from worker.run.heart import Held
from worker.run.settle import Settler

_AHEAD = 2
"""Cases whose inputs are fetched before their turn: more would only fill the disk."""


class Supply:
    """Gives out a batch case by case. A case that could not be begun is handed back and passed over."""

    def __init__(self, batch: Batch, settler: Settler) -> None:
        self._settler = settler
        self._begun, self._later = deque(batch.cases), deque(batch.later)
        self._coming: deque[tuple[Held, Future[Running | None]]] = deque()
        self._fetching = ThreadPoolExecutor(1, thread_name_prefix="inputs")
        self._fetch()

    def next(self) -> Running | None:
        """The next case with its inputs on this host; None if there is none."""
        if self._begun:
            return self._begun.popleft()
        while self._coming:
            _, future = self._coming.popleft()
            self._fetch()
            if (running := future.result()) is not None:
                return running
        return None

    def hand_back(self, more: Iterable[Running] = ()) -> None:
        """Puts back whatever was not given out, and `more`."""
        begun, unbegun = [*more, *self._begun], list(self._later)
        for held, future in self._coming:
            if future.cancel():
                unbegun.append(held)
            elif (running := future.result()) is not None:
                begun.append(running)
        for running in begun:
            self._settler.forget(running)
        for held in (*(running.held for running in begun), *unbegun):
            self._settler.hand_back(held)
        self._fetching.shutdown()

    def _fetch(self) -> None:
        while self._later and len(self._coming) < _AHEAD:
            held = self._later.popleft()
            self._coming.append((held, self._fetching.submit(self._settler.begin, held, admitted=True)))
