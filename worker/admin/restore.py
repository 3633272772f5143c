"""`proctor-admin restore`: an installation made of a backup, in an empty place, and compared with it."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated

import typer
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from pydantic import SecretStr

from evaluator.terminal import say
from evaluator.version import evaluator_version
from server.accounts.principals import OPERATOR
from server.audit.service import head
from server.evaluations.receipts import public_key
from server.privacy.erasing import erase_again
from server.recovery.service import board_digests, check_receipts, settle
from server.settings import Settings
from worker.admin._backup import BackupManifest, differing, erased_in, read_whole
from worker.admin._backup_database import DUMP, Database, contents, is_empty
from worker.admin._backup_files import IN_BUCKET, BackupFiles, copied, missing_in, other_content, read_back
from worker.admin._restoring import OwnDatabase, entries, into_directory, take_back
from worker.admin.backup import Folder, running, sentences
from worker.admin.bucket_told import note_bucket
from worker.admin.tables import counted
from worker.embedded.account import SetupError
from worker.embedded.data import CHECKOUT, data_directory, make_directory, secret
from worker.embedded.migrations import migrate
from worker.embedded.postgres import Postgres

app = typer.Typer()
_OWN = "secrets/secret_key"


@app.command("restore")
def restore(
    folder: Folder,
    data: Annotated[
        Path | None, typer.Option(help="The new installation's directory.", envvar="PROCTOR_DATA")
    ] = None,
) -> None:
    """Make an installation of the newest backup in DIR, or of the one that DIR is, in an empty place, and compare.

    Nothing is written over: the directory has to be empty, or hold only empty folders, as those that volumes are
    mounted on; and so has the database that DATABASE_URL names, where one is named. What fails leaves both as they
    were; after one that was killed, the next begins anew. Start it with 'proctor-admin up'.
    """
    directory = data.absolute() if data else data_directory()
    with sentences("Nothing was restored."):
        found, manifest, files = read_whole(folder.absolute())
        erased = erased_in(folder.absolute()) or erased_in(found.parent)
        _require_known(manifest)
        with _filling(directory, manifest, found):
            told = _filled(directory, found, manifest, files, erased)
    for line in told:
        say(line)
    start = f"proctor-admin up --data {shlex.quote(str(directory))}"
    say(f"{directory} is restored." + ("" if "DATABASE_URL" in os.environ else f" Start it: {start}"))
    if not manifest.keys and "DATABASE_URL" not in os.environ:
        say(
            f"This backup holds no keys: put the installation's secret key into {directory / _OWN} first.",
            err=True,
        )


@contextmanager
def _filling(directory: Path, manifest: BackupManifest, found: Path) -> Iterator[None]:
    """The block fills the directory and the database, and leaves nothing in them if it raises.

    Raises:
        SetupError: they hold something that no restore left there, or another restore fills them.
    """
    if "DATABASE_URL" not in os.environ:
        _say_taken_back(directory, take_back(directory))
        _require_empty(directory)
        with into_directory(directory):
            yield
        return
    # Beside a database of its own there are volumes alone: a container may write nothing else.
    make_directory(directory, 0o700)
    settings = _settings(directory, manifest)
    own = OwnDatabase(settings.database_url, directory)
    _say_taken_back(directory, own.take_back())
    _require_empty(directory)
    _require_empty_database(settings, manifest, found)
    with own.filling():
        yield


def _say_taken_back(directory: Path, was: bool) -> None:
    if was:
        say(f"A restore into {directory} was broken off before: what it left is removed, and it begins anew.")


def _filled(
    directory: Path, found: Path, manifest: BackupManifest, files: BackupFiles, erased: list[str]
) -> list[str]:
    """Puts everything into the directory and the database, and compares it; what is said of that."""
    embedded = "DATABASE_URL" not in os.environ
    _put_files(files, directory, keys=embedded)
    settings = _settings(directory, manifest)
    told = _in_bucket(settings, manifest)
    with running(settings):
        database = Database(settings.database_url, directory)
        told += _put_database(database, found / DUMP, manifest)
        told += _settled(database, settings, erased)
    if embedded and manifest.bucket is not None:
        note_bucket(directory)
    return told


def _require_known(manifest: BackupManifest) -> None:
    try:
        ScriptDirectory(str(CHECKOUT / "migrations")).get_revisions(manifest.revision)
    except CommandError:
        raise SetupError(
            f"This backup was made by a newer version ({manifest.version}, tables of {manifest.revision}) than this "
            f"one ({evaluator_version()}). Update the checkout first."
        ) from None


def _require_empty(directory: Path) -> None:
    """A directory with nothing in it but folders with nothing in them."""
    held = (path for path in entries(directory) if not path.is_dir() or path.is_symlink() or entries(path))
    if there := sorted(path.name for path in held):
        listed = ", ".join(there[:5])
        raise SetupError(
            f"{directory} holds {listed} already. Restore into a directory that is new or empty."
        )


def _require_empty_database(settings: Settings, manifest: BackupManifest, found: Path) -> None:
    with Database(settings.database_url, settings.data).work() as session:
        if not is_empty(session):
            raise SetupError(
                "The database that DATABASE_URL names has tables already. Restore into an empty one."
            )
    if manifest.receipt_key != public_key(settings):
        detail = f"which is in {found / _OWN}" if manifest.keys else "which it does not hold"
        raise SetupError(f"PROCTOR_SECRET_KEY is not the key of this backup, {detail}.")


def _settings(directory: Path, manifest: BackupManifest) -> Settings:
    """Those of the environment; else of the directory, once the secrets lie there."""
    if "DATABASE_URL" in os.environ:
        return Settings(data=directory)  # type: ignore[call-arg]  # the rest is filled from the environment
    # Without keys nothing is signed or named here; 'up' asks for the right one.
    key = secret(directory, "secret_key") if manifest.keys else token_urlsafe(32)
    return Settings.model_validate(
        {"data": directory, "secret_key": SecretStr(key), "DATABASE_URL": Postgres(directory).url()}
    )


def _put_files(files: BackupFiles, target: Path, *, keys: bool) -> None:
    """Copies every file and compares it with the list while it does.

    Raises:
        SetupError: one is missing, or is not as it was written.
    """
    for name, digest in files.sums.items():
        source = files.folder / name
        if name == DUMP:
            read_back(source, digest)
        if name == DUMP or (name.startswith("secrets/") and not keys):
            continue
        if not source.is_file():
            raise SetupError(f"{source} is missing: this backup is not whole any more. Nothing was restored.")
        place = target / name
        make_directory(place.parent, 0o700)
        if copied(source, place) != digest:
            raise other_content(source)


def _put_database(database: Database, dump: Path, manifest: BackupManifest) -> list[str]:
    """Fills the database and compares it; what is said of that.

    Raises:
        SetupError: it is not what the backup holds.
    """
    database.load(dump)
    with database.work() as session:
        if other := differing(contents(session), manifest.tables):
            raise SetupError(f"What was restored is not what the backup holds: {', '.join(other)} differ.")
    told = [f"Identical with the backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC: {manifest.said}"]
    migrate(database.url, restoring=True)
    with database.work() as session:
        sealed = str(head(session))
        boards = board_digests(session)
        count, wrong = check_receipts(session)
    other_boards = [name for name in manifest.boards if boards.get(name) != manifest.boards[name]]
    if other_boards and manifest.version == evaluator_version():
        raise SetupError(f"The boards of {', '.join(other_boards)} are not those of the backup.")
    if other_boards:
        told.append(
            f"The boards of {', '.join(other_boards)} differ, for this is {evaluator_version()} and the backup was "
            f"made by {manifest.version}; 'proctor-admin doctor' says which metrics have other code."
        )
    told.append(
        f"{len(boards) - len(other_boards)} boards are as they were, {count - len(wrong)} receipts verify"
    )
    if sealed != manifest.audit_head:
        raise SetupError(
            f"The chain of the log ends with {sealed}, and the backup's with {manifest.audit_head}."
        )
    told.append(
        f"The chain of the log ends as it did, with {sealed}; 'proctor-admin audit verify' follows it"
    )
    if wrong:
        told.append(
            f"{len(wrong)} receipts verify with no key, as in the backup: {', '.join(map(str, wrong[:3]))}"
        )
    return told


def _in_bucket(settings: Settings, manifest: BackupManifest) -> list[str]:
    """What is said of blobs that the backup only lists: whether they are where BLOBS_URL says.

    Raises:
        SetupError: the settings name no bucket.
    """
    if manifest.bucket is None:
        return []
    if settings.blobs_place is None:
        raise SetupError(
            f"The blobs of this backup are in {manifest.bucket.place}. Set BLOBS_URL to that bucket, or to its copy."
        )
    missing = missing_in(settings.blobs, settings.data / IN_BUCKET)
    (settings.data / IN_BUCKET).unlink()
    whole = f"{manifest.bucket.count - len(missing):,} of {manifest.bucket.count:,} blobs are in {settings.blobs.where}"
    return [f"{whole}; missing: {', '.join(missing[:3])}" if missing else whole]


def _settled(database: Database, settings: Settings, erased: list[str]) -> list[str]:
    with database.work() as session:
        settled = settle(session, settings, actor=OPERATOR)
        again = erase_again(session, erased, actor=OPERATOR)
    told = []
    if settled.cases or settled.scorings:
        cases = counted(settled.cases, "case that ran", "cases that ran")
        told.append(
            f"{cases}, and {counted(settled.scorings, 'that was', 'that were')} being scored, wait again"
        )
    if settled.uploads:
        told.append(f"{counted(settled.uploads, 'unfinished upload')} ended: teams send them again")
    if again:
        who = counted(
            again, "person who was erased since the backup is", "people who were erased since the backup are"
        )
        told.append(f"{who} erased again")
    return told
