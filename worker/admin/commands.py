"""The commands of `proctor-admin`, known by name and first sentence before any of their modules is imported.

What a command needs (the database, the container engine, a hundred libraries) is loaded when it is invoked. So
`--help` and a mistyped name cost nothing, and a small command does not wait for what a large one needs.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from typer.core import MarkupMode, TyperCommand
from typer.main import get_group

from evaluator.terminal import CommandGroup

_HERE = Path(__file__).parent

TOPICS = {
    "The installation": (
        *(
            "up",
            "doctor",
            "status",
            "find",
            "show",
            "events",
            "audit",
            "storage",
            "sweep",
            "blobs",
            "backup",
            "restore",
            "registry",
        ),
        *("webhooks", "adopt-secret-key"),
    ),
    "A challenge": (
        *(
            "overview",
            "check",
            "apply",
            "try-scoring",
            "phase",
            "release",
            "unrelease",
            "commit-labels",
            "leakage",
            "bundle",
            "import-results",
            "mirror",
            "gc",
        ),
        *("organizers", "name-organizer", "remove-organizer", "agreements", "publish-agreement"),
        *("questions", "answer", "announce", "mailing"),
    ),
    "Its cases": (
        "datasets",
        "check-dataset",
        "import-dataset",
        "correct-dataset",
        "activate-dataset",
        "drop-dataset",
    ),
    "Teams and what they submitted": (
        *(
            "teams",
            "submissions",
            "attempts",
            "usage",
            "decide",
            "grant-attempts",
            "void",
            "unvoid",
            "same-person",
        ),
    ),
    "Evaluations made anew": (
        *("errors", "retry", "excuse", "reevaluate", "reevaluations", "reevaluation", "start-reevaluation"),
        *("apply-reevaluation", "revert-reevaluation", "cancel-reevaluation"),
    ),
    "The queue and its run workers": (
        *(
            "queue",
            "priority",
            "forecast",
            "slots",
            "workers",
            "worker-token",
            "rotate-worker",
            "drain-worker",
        ),
        *("resume-worker", "retire-worker", "revoke-worker", "suspect", "pilots"),
    ),
    "People": (
        *("people", "person", "create-admin", "verify-address", "reset-password", "revoke-tokens"),
        *("close-account", "reopen-account"),
    ),
}
"""What `--help` lists together, in this order."""


@dataclass(frozen=True)
class Declared:
    """A command as its module declares it: `@app.command("name")` above a function with a docstring."""

    name: str
    module: str
    help: str


class Deferred(TyperCommand):
    """Stands for a command whose module is imported only when the command is invoked or its own help is shown."""

    def __init__(self, declared: Declared, *, topic: str, mode: MarkupMode) -> None:
        super().__init__(declared.name, help=declared.help, rich_markup_mode=mode, rich_help_panel=topic)
        self._module = declared.module

    def get_short_help_str(self, limit: int = 45) -> str:
        """The whole first paragraph; half a sentence helps nobody, and lists of commands wrap."""
        return " ".join((self.help or "").partition("\n\n")[0].split())

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """The context of the real command."""
        app = importlib.import_module(self._module).app
        app.rich_markup_mode = self.rich_markup_mode
        return get_group(app).commands[str(self.name)].make_context(*arguments, **more)


class Commands(CommandGroup):
    """All commands that modules of this package declare, by topic."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        found = {declared.name: declared for declared in commands()}
        for topic, names in TOPICS.items():
            for name in names:
                self.add_command(Deferred(found[name], topic=topic, mode=self.rich_markup_mode))

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the topics."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A section for each topic, where help has no boxes."""
        for topic, names in TOPICS.items():
            with formatter.section(topic):
                formatter.write_dl([(name, self.commands[name].get_short_help_str()) for name in names])


@cache
def commands(folder: Path = _HERE, package: str = __package__ or "worker.admin") -> tuple[Declared, ...]:
    """What the modules in `folder` declare, read from their text, once a process."""
    return tuple(_declared(folder, package))


def _declared(folder: Path, package: str) -> Iterator[Declared]:
    for path in sorted(folder.glob("*.py")):
        for function in ast.parse(path.read_text()).body:
            if isinstance(function, ast.FunctionDef) and (name := _name_of(function)) is not None:
                said = ast.get_docstring(function) or ""
                yield Declared(name, f"{package}.{path.stem}", inspect.cleandoc(said))


def _name_of(function: ast.FunctionDef) -> str | None:
    """The name in `@app.command("name")`, or None for any other function."""
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="app"), attr="command"),
                args=[ast.Constant(value=str(name))],
            ):
                return name
    return None
