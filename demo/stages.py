"""Where the time goes: named stages, some of them side by side."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Stage:
    """One stage; seconds count from the start of the demo."""

    name: str
    started: float
    seconds: float


@dataclass
class Stages:
    """The stages of one run of the demo."""

    console: Console
    done: list[Stage] = field(default_factory=list)
    _zero: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._zero

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a block and says when it is done."""
        started = self.total
        yield
        stage = Stage(name, started, self.total - started)
        with self._lock:
            self.done.append(stage)
        self.console.print(f"[green]✓[/] {name} [dim]{stage.seconds:.1f} s[/]")

    def table(self) -> Table:
        """All stages in the order in which they began."""
        table = Table(title="Where the time went", caption="Preparations run side by side.")
        table.add_column("stage")
        table.add_column("began at", justify="right")
        table.add_column("took", justify="right")
        for stage in sorted(self.done, key=lambda stage: stage.started):
            table.add_row(stage.name, f"{stage.started:.1f} s", f"{stage.seconds:.1f} s")
        table.add_section()
        table.add_row("whole demo", "", f"{self.total:.1f} s")
        return table
