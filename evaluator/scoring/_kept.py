"""References that were read once, for all who are scored on them by processes that are forked afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from evaluator.manifest import ReferenceMap, References
from evaluator.outputs import SegmentationOutput

_PARSED = 16  # bytes in memory for each of a label file, at most


@dataclass(frozen=True)
class KeptReferences(References):
    """References of one task whose files stay in memory once they are read, as long as they take `room` bytes at most.

    What is kept is given to whoever asks, so it is not to be written to.
    """

    room: int = 2**30
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    sizes: list[int] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def of(cls, given: References) -> Self:
        """These references; those that are kept already stay."""
        return given if isinstance(given, cls) else cls(given.directory, given.rows, given.others)

    def label_map(self, case: str, output: SegmentationOutput) -> ReferenceMap:
        """As that of other references."""
        found: ReferenceMap = self.kept.get(case) or super().label_map(case, output)
        self._keep(case, found, found.labels.nbytes)
        return found

    def truth(self, case: str, file: Path, read: Callable[[Path], Any]) -> Any:
        """What `read` makes of the label file of a case."""
        if case not in self.kept:
            found = read(file)
            self._keep(case, found, _PARSED * file.stat().st_size)
            return found
        return self.kept[case]

    def _keep(self, case: str, found: Any, size: int) -> None:
        if case not in self.kept and sum(self.sizes) + size <= self.room:
            self.kept[case] = found
            self.sizes.append(size)
