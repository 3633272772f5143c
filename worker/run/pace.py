"""When to ask for the next case."""

from contract.ids import EvaluationId

_SPARE = 0.3
_REMEMBERED = 64


class PrefetchPace:
    """When to ask for the next case: as late as it can still be made ready in time.

    A case that is leased ahead waits for this slot although another one may be free before, and a team that comes
    meanwhile waits behind it. So nothing is leased ahead until the evaluation's cases are known to be short enough,
    or to end soon.
    """

    def __init__(self) -> None:
        self._shortest: dict[EvaluationId, float] = {}
        self._preparation = 0.0

    def ran(self, evaluation: EvaluationId, seconds: float, turns: int = 1) -> None:
        """So many cases of the evaluation, one after the other, took so long."""
        each = seconds / turns
        shortest = min(each, self._shortest.get(evaluation, each))
        self._shortest.pop(evaluation, None)
        self._shortest[evaluation] = shortest
        while len(self._shortest) > _REMEMBERED:
            del self._shortest[next(iter(self._shortest))]

    def prepared(self, seconds: float) -> None:
        """Making a case ready took so long; the longest of late counts."""
        self._preparation = max(seconds, 0.8 * self._preparation)

    def wait(self, evaluation: EvaluationId, turns: int = 1) -> float | None:
        """Seconds into the next cases until what follows them should be leased; None if nothing is known yet."""
        shortest = self._shortest.get(evaluation)
        return None if shortest is None else max(0.0, turns * shortest - 1.5 * self._preparation - _SPARE)
