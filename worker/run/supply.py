"""The cases of a batch that are served in turn: while one is answered, the inputs of the next ones are fetched."""

import functools
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from worker.run.ahead import Batch
from worker.run.cases import Running
from worker.run.settle import Settler


class Supply:
    """Gives out a batch case by case. A case that could not be begun is handed back and passed over."""

    def __init__(self, batch: Batch, settler: Settler) -> None:
        self._settler = settler
        self._begun = deque(batch.cases)
        self._fetching = ThreadPoolExecutor(1, thread_name_prefix="inputs")
        begin = functools.partial(settler.begin, admitted=True)
        self._coming = deque((held, self._fetching.submit(begin, held)) for held in batch.later)

    def next(self) -> Running | None:
        """The next case with its inputs on this host; None if there is none."""
        if self._begun:
            return self._begun.popleft()
        while self._coming:
            _, future = self._coming.popleft()
            if (running := future.result()) is not None:
                return running
        return None

    def hand_back(self) -> None:
        """Puts back whatever was not given out."""
        begun = list(self._begun)
        for held, future in self._coming:
            if future.cancel():
                self._settler.hand_back(held)
            elif (running := future.result()) is not None:
                begun.append(running)
        for running in begun:
            self._settler.forget(running)
            self._settler.hand_back(running.held)
        self._fetching.shutdown()
