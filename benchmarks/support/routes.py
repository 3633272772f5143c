"""The two ways of the evaluator: numpy, and numba where it is installed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from evaluator.metrics.compiled import SWITCH, kernels

T = TypeVar("T")


@dataclass(frozen=True)
class Route:
    """Whether kernels are compiled."""

    compiled: bool

    @property
    def suffix(self) -> str:
        """What follows the evaluator's name."""
        return ", compiled" if self.compiled else ""

    def taken_by(self, action: Callable[[], T]) -> Callable[[], T]:
        """`action` on this route."""

        def taking() -> T:
            os.environ[SWITCH] = str(int(self.compiled))
            return action()

        return taking


def routes() -> list[Route]:
    """Those that can be measured here."""
    compiled = Route(True).taken_by(kernels)()
    return [Route(False), Route(True)] if compiled else [Route(False)]
