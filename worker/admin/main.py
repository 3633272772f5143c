"""`proctor-admin`: every module of this package that has an `app` adds its commands."""

import importlib
import importlib.util
import pkgutil
import sys

import typer

import worker.admin

_NEEDED = ("sqlalchemy", "celery")  # one that only the server needs, one that only the worker needs


def collect() -> typer.Typer:
    """The program with the commands of all modules beside this one, in alphabetical order of the modules."""
    program = typer.Typer(
        name="proctor-admin",
        help="Run and look after a Proctor installation.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module in sorted(entry.name for entry in pkgutil.iter_modules(worker.admin.__path__)):
        if module in {"main", "__main__"}:
            continue
        commands = getattr(importlib.import_module(f"worker.admin.{module}"), "app", None)
        if isinstance(commands, typer.Typer):
            program.add_typer(commands)
    return program


def main() -> None:
    """Entry point of the `proctor-admin` command; exit code 2 where only the client is installed."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        print("proctor-admin needs the server's packages: pip install '.[server,worker]'", file=sys.stderr)
        sys.exit(2)
    collect()()
