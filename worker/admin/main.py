"""`proctor-admin`: every module of this package that has an `app` adds its commands."""

import importlib
import pkgutil

import typer

import worker.admin


def collect() -> typer.Typer:
    """The program with the commands of all modules beside this one, in alphabetical order of the modules."""
    program = typer.Typer(
        name="proctor-admin", help="Run and look after a Proctor installation.", no_args_is_help=True
    )
    for module in sorted(entry.name for entry in pkgutil.iter_modules(worker.admin.__path__)):
        if module in {"main", "__main__"}:
            continue
        commands = getattr(importlib.import_module(f"worker.admin.{module}"), "app", None)
        if isinstance(commands, typer.Typer):
            program.add_typer(commands)
    return program


def main() -> None:
    """Entry point of the `proctor-admin` command."""
    collect()()
