"""Running cases each in a container of its own."""

import threading

from worker.run.answers import Answers
from worker.run.cases import LeasedBatch, LeasedCase
from worker.run.executor import Executor
from worker.run.settle import Settler


class FreshRuns:
    """Runs cases of one slot in fresh containers, and gives them to the settler when these have ended."""

    def __init__(self, executor: Executor, answers: Answers, settler: Settler) -> None:
        self._executor, self._answers, self._settler = executor, answers, settler

    def make_ready(self, case: LeasedCase) -> bool:
        """What could not be done ahead because it takes the slot: loading the image, and its uncounted run.

        False if the case had to be handed back.
        """
        if case.container is not None:
            return True
        with self._answers.responsible(case) as work:
            self._executor.bring_image(case)
            self._executor.make(case)
        return not work.failed

    def run_at_once(self, batch: LeasedBatch) -> None:
        """Runs all cases of a batch beside each other."""
        threads = [
            threading.Thread(target=self.run, args=[case, batch.packed], name="case")
            for case in batch.cases[1:]
        ]
        for thread in threads:
            thread.start()
        for case in batch.cases[:1]:
            self.run(case, batch.packed)
        for thread in threads:
            thread.join()

    def run(self, case: LeasedCase, packed: int = 1) -> None:
        """Runs one case, beside `packed` - 1 others of its batch."""
        with self._answers.responsible(case):
            self._executor.execute(case)
            self._settler.settle(case, packed=packed)
