"""What things of a challenge are called on its pages; what its file knows no more goes by its key."""

from dataclasses import dataclass

from evaluator.spec import Challenge as Spec


@dataclass(frozen=True)
class Titles:
    """The titles that a challenge file gives."""

    spec: Spec

    @property
    def phases(self) -> list[tuple[str, str]]:
        """Every phase, as a list to choose from has it."""
        return [(name, phase.title) for name, phase in self.spec.phases.items()]

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Every task, as a list to choose from has it."""
        return [(name, task.title) for name, task in self.spec.tasks.items()]

    @property
    def tracks(self) -> list[tuple[str, str]]:
        """Every track, as a list to choose from has it."""
        return [(name, name) for name in self.spec.tracks]

    def phase(self, name: str) -> str:
        """A phase."""
        return self.spec.phases[name].title if name in self.spec.phases else name

    def task(self, name: str) -> str:
        """A task."""
        return self.spec.tasks[name].title if name in self.spec.tasks else name

    def board(self, name: str) -> str:
        """A board."""
        return self.spec.boards[name].title if name in self.spec.boards else name

    def metric(self, board: str, name: str) -> str:
        """A metric of a board."""
        known = self.spec.boards[board].metrics.get(name) if board in self.spec.boards else None
        return name if known is None else known.title or name
