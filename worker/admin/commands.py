"""The commands of `proctor-admin`, known by name and first sentence before any of their modules is imported.

What a command needs (the database, the container engine, a hundred libraries) is loaded when it is invoked. So
`--help` and a mistyped name cost nothing, and a small command does not wait for what a large one needs.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.core import MarkupMode, TyperCommand
from typer.main import get_group

from evaluator.terminal import CommandGroup

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Declared:
    """A command as its module declares it: `@app.command("name")` above a function with a docstring."""

    name: str
    module: str
    help: str


class Deferred(TyperCommand):
    """Stands for a command whose module is imported only when the command is invoked or its own help is shown."""

    def __init__(self, declared: Declared, *, mode: MarkupMode) -> None:
        super().__init__(declared.name, help=declared.help, rich_markup_mode=mode)
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
    """All commands that modules of this package declare, in alphabetical order."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for declared in sorted(commands(), key=lambda declared: declared.name):
            self.add_command(Deferred(declared, mode=self.rich_markup_mode))


def commands(folder: Path = _HERE, package: str = __package__ or "worker.admin") -> Iterator[Declared]:
    """What the modules in `folder` declare, read from their text."""
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
