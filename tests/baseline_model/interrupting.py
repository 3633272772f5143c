"""A disk that fails while a training keeps its state, as a test's way to interrupt one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from baseline_model.faults import TrainingError


@contextmanager
def interrupted_at_the_second_state() -> Iterator[None]:
    """The training in this block has to end when it keeps its state for the second time; the first one stays."""
    kept: list[Path] = []
    original = Path.replace

    def failing(path: Path, target: Path) -> Path:
        kept.append(path)
        if len(kept) == 2:
            raise OSError(5, "Input/output error")
        return original(path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        with pytest.raises(TrainingError, match="Input/output error"):
            yield
