"""Where an admin's command works: the installation of the environment, or the embedded one on this machine."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from pydantic import SecretStr, TypeAdapter, ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from contract.challenges import Why
from evaluator.terminal import Console, agreed
from server.accounts.principals import OPERATOR
from server.blobs import BlobsAway
from server.database import unit_of_work
from server.errors import Problem
from server.settings import Settings
from server.tables import open_database
from server.words import words
from worker.admin._restoring import unfinished
from worker.admin.bucket_told import REMEDY, untold
from worker.embedded.data import data_directory, secret
from worker.embedded.postgres import Postgres

ACTOR = OPERATOR

_console = Console(stderr=True)


def settings_of(data: Path | None) -> Settings:
    """The environment's settings where DATABASE_URL is set, else those of the embedded installation in `data`."""
    if "DATABASE_URL" in os.environ:
        return Settings()  # type: ignore[call-arg]  # fields are filled from the environment
    directory = data.absolute() if data else data_directory()
    if (said := unfinished(directory)) is not None:
        fail(said)
    if not (directory / "postgres").is_dir():
        if "PROCTOR_SERVER" in os.environ:
            fail(
                "This command does not ask PROCTOR_SERVER: it works where the installation's data is, and there is "
                f"none in {directory}. Have an admin run it there."
            )
        fail(
            f"There is no installation in {directory}. Start one with 'proctor-admin up', name another directory with "
            "--data or PROCTOR_DATA (a demo's ends in -demo), or set DATABASE_URL."
        )
    if not (directory / "secrets" / "secret_key").is_file():
        fail(f"{directory / 'secrets' / 'secret_key'} is missing; 'proctor-admin up' says how to go on.")
    if (said := untold(directory)) is not None:
        fail(f"{said} {REMEDY}")
    return Settings(  # type: ignore[call-arg]  # database_url goes by its alias
        data=directory,
        secret_key=SecretStr(secret(directory, "secret_key")),
        DATABASE_URL=Postgres(directory).url(),
    )


@contextmanager
def work(settings: Settings) -> Iterator[Session]:
    """One unit of work on the installation's database; problems end the command with their sentence."""
    sessions = open_database(settings.database_url, pool_size=1)
    try:
        with unit_of_work(sessions) as session:
            yield session
    except BlobsAway as away:
        fail(away.why)
    except Problem as problem:
        fail(problem.detail)
    except OperationalError:
        fail(database_away(settings))
    finally:
        sessions.kw["bind"].dispose()


def database_away(settings: Settings) -> str:
    """What to do where an installation's database does not answer."""
    return (
        f"The database of this installation does not answer: {make_url(settings.database_url).render_as_string()}\n"
        "Start the installation ('proctor-admin up', with its --data), or name another with --data or DATABASE_URL."
    )


def fail(message: str) -> NoReturn:
    """Ends the command with exit code 1 and a sentence."""
    _console.print(message, style="red", soft_wrap=True)
    raise typer.Exit(1)


def reason_of(why: str | None) -> str | None:
    """A reason as everybody will read it; ends the command where it is none."""
    if why is None:
        return None
    try:
        return TypeAdapter(Why).validate_python(why)
    except ValidationError as error:
        fail(f"--why {words(error.errors()[0])}.")


def make_sure(question: str, *, yes: bool) -> None:
    """Goes on only if a person says yes, or said so with --yes; without a terminal it ends the command."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question}\nThis was not done. Give --yes to go on.")
    agreed(f"{question}\nGo on?", abort=True)
