"""`proctor-admin` answers soon: a command's module, and what that needs, is imported when it is invoked."""

import importlib
import json
import os
import subprocess
import sys

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from worker.admin.commands import commands
from worker.admin.main import collect
from worker.embedded.data import CHECKOUT

LARGE = frozenset(
    (
        *("alembic", "celery", "docker", "fastapi", "httpx", "jinja2", "kombu", "nibabel", "numba", "numpy"),
        *("redis", "scipy", "starlette", "uvicorn", "evaluator.metrics", "evaluator.scoring"),
    )
)
DATABASE = frozenset(("psycopg", "pydantic", "server", "sqlalchemy"))


def loaded(*words: str, url: str = "") -> set[str]:
    """The modules of a process in which the command ran."""
    script = (
        "import json, sys\n"
        "from typer.testing import CliRunner\n"
        "from worker.admin.main import collect\n"
        "ended = CliRunner().invoke(collect(), sys.argv[1:])\n"
        "print(json.dumps([ended.exit_code, ended.output, sorted(sys.modules)]))"
    )
    known = {"DATABASE_URL": url, "PROCTOR_DATA": "/nowhere", "PROCTOR_SECRET_KEY": "k" * 40} if url else {}
    ended = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=CHECKOUT,
        env={**os.environ, **known},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, said, modules = json.loads(ended.stdout)
    assert code == 0, said
    return set(modules)


def test_the_list_of_commands_imports_nothing_of_them() -> None:
    found = loaded("--help")
    assert not found & (LARGE | DATABASE)
    assert sorted(name for name in found if name.startswith("worker.admin.") and "_" not in name) == [
        "worker.admin.commands",
        "worker.admin.main",
    ]


@pytest.mark.parametrize(
    "words", [["slots"], ["slots", "--json"], ["forecast"], ["worker-token", "imports-1"]]
)
def test_what_only_asks_the_database_imports_nothing_large(words: list[str], fresh_postgres_url: str) -> None:
    found = loaded(*words, url=fresh_postgres_url)
    assert not found & LARGE
    assert found >= DATABASE


def test_doctor_imports_no_server() -> None:
    assert not loaded("doctor", "--help") & (LARGE | DATABASE) - {"docker", "pydantic"}


def test_the_list_of_commands_cuts_no_sentence() -> None:
    shown = " ".join(CliRunner().invoke(collect(), ["--help"]).output.split())
    assert "..." not in shown.replace("[ARGS]...", "")
    assert "Bring a version of the cases into force: a staged one" in shown


def test_what_is_read_of_the_commands_is_what_their_modules_say() -> None:
    declared = list(commands())
    by_module: dict[str, dict[str, str]] = {}
    for one in declared:
        by_module.setdefault(one.module, {})[one.name] = one.help
    for module, read in by_module.items():
        real = get_group(importlib.import_module(module).app).commands
        assert {name: command.help for name, command in real.items()} == read, module
    names = [one.name for one in declared]
    assert len(names) == len(set(names))


def test_a_module_with_an_app_declares_at_least_one_command() -> None:
    folder = CHECKOUT / "worker" / "admin"
    with_app = {path.stem for path in folder.glob("*.py") if "\napp = typer.Typer(" in path.read_text()}
    assert with_app == {one.module.rpartition(".")[2] for one in commands()}


def test_a_mistyped_command_names_the_one_that_is_meant() -> None:
    refused = CliRunner().invoke(collect(), ["slotz"])
    assert refused.exit_code == 2
    assert "Did you mean 'slots'" in " ".join(refused.output.split())
