"""Progress in a terminal: bytes that move, and a sign that something is waited for."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from client.uploads import Advance
from evaluator.terminal import Console


def size(count: float) -> str:
    """Bytes in the unit that fits them."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


class _Bytes(ProgressColumn):
    """The bytes done in a unit of their own: in that of the total, an upload's first minutes show no change."""

    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f" of {size(task.total)}"
        return Text(size(task.completed) + total, style="progress.download")


@contextmanager
def transfer(console: Console, what: str, total: int | None) -> Iterator[Advance]:
    """A bar with the bytes, the rate and the time left; without `total` the bytes and the rate only."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _Bytes(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda position: progress.update(task, completed=position)


@contextmanager
def waiting(console: Console, what: str) -> Iterator[None]:
    """A sign that something is waited for."""
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}", markup=False), console=console
    ) as progress:
        progress.add_task(what)
        yield
