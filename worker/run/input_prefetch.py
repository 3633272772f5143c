"""The cases of a batch that are served in turn: while one is answered, the inputs of the next ones are fetched."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from worker.run.answers import Answers
from worker.run.cases import LeasedBatch, LeasedCase
from worker.run.heartbeat import LeaseHandle

_AHEAD = 2
"""Cases whose inputs are fetched before their turn: more would only fill the disk."""


class InputPrefetch:
    """Gives out a batch case by case. A case that could not be begun is handed back and passed over."""

    def __init__(self, batch: LeasedBatch, answers: Answers) -> None:
        self._answers = answers
        self._begun, self._later = deque(batch.cases), deque(batch.later)
        self._coming: deque[tuple[LeaseHandle, Future[LeasedCase | None]]] = deque()
        self._fetching = ThreadPoolExecutor(1, thread_name_prefix="inputs")
        self._fetch()

    def next(self) -> LeasedCase | None:
        """The next case with its inputs on this host; None if there is none."""
        if self._begun:
            return self._begun.popleft()
        while self._coming:
            _, future = self._coming.popleft()
            self._fetch()
            if (case := future.result()) is not None:
                return case
        return None

    def hand_back(self, more: Iterable[LeasedCase] = ()) -> None:
        """Puts back whatever was not given out, and `more`."""
        begun, unbegun = [*more, *self._begun], list(self._later)
        for handle, future in self._coming:
            if future.cancel():
                unbegun.append(handle)
            elif (case := future.result()) is not None:
                begun.append(case)
        self._answers.put_back(begun, unbegun)
        self._fetching.shutdown()

    def _fetch(self) -> None:
        while self._later and len(self._coming) < _AHEAD:
            handle = self._later.popleft()
            self._coming.append((handle, self._fetching.submit(self._answers.begin, handle, admitted=True)))
