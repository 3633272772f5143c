"""Backup and restore as the documentation says: the same rows and files, or a sentence."""

import fcntl
import hashlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import Result
from psycopg import sql
from typer.testing import CliRunner

from server.accounts.models import Account
from server.accounts.tokens import create_worker_token
from server.backups import last_backup
from server.database import unit_of_work
from server.tables import open_database
from worker.admin.main import collect
from worker.embedded.data import CHECKOUT, secret
from worker.embedded.migrations import migrate
from worker.embedded.postgres import Postgres
from worker.embedded.process import ServiceError

Run = Callable[..., Result]
TREES = ("blobs", "inputs", "references", "secrets")


@contextmanager
def directory() -> Iterator[Path]:
    """A directory that the database user may pass through."""
    directory = Path(tempfile.mkdtemp(prefix="proctor-backup-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def base() -> Iterator[Path]:
    with directory() as base:
        yield base


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("DATABASE_URL", "PROCTOR_DATA"):
        monkeypatch.delenv(name, raising=False)
    return lambda *words: CliRunner().invoke(collect(), [str(word) for word in words])


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """The data of a small installation that has stopped: rows, blobs, inputs, references and secrets."""
    with directory() as base:
        postgres = Postgres(base / "data", durable=False)
        postgres.start()
        migrate(postgres.url())
        add_rows(postgres)
        postgres.stop()
        secret(postgres.data, "secret_key")
        for name in ("blobs/ab/abcd", "inputs/x/t1w.nii.gz", "references/x/label.txt"):
            path = postgres.data / name
            path.parent.mkdir(parents=True)
            path.write_bytes(uuid4().bytes * 50)
        (postgres.data / "blobs" / "incoming").mkdir()
        (postgres.data / "blobs" / "incoming" / "tmp1").write_bytes(b"half")
        yield postgres.data


@pytest.fixture
def installation(made: Path, base: Path) -> Iterator[Postgres]:
    """A copy of it whose database runs: making one takes seconds."""
    subprocess.run(["cp", "--archive", made, base / "data"], check=True)
    postgres = Postgres(base / "data", durable=False)
    postgres.start()
    yield postgres
    postgres.stop()


def add_rows(postgres: Postgres, count: int = 3) -> None:
    sessions = open_database(postgres.url(), pool_size=1)
    with unit_of_work(sessions) as session:
        for _ in range(count):
            session.add(Account(email=f"{uuid4().hex}@example.org", name="Zoë 'Ω'", password_hash="x"))
        create_worker_token(session, f"run-{uuid4().hex[:6]}")
    sessions.kw["bind"].dispose()


def rows_of(postgres: Postgres) -> dict[str, set[str]]:
    """Every row of every table, as text."""
    with postgres.connect("proctor") as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        query = sql.SQL("SELECT whole::text FROM {} AS whole")
        return {
            name: {row for (row,) in connection.execute(query.format(sql.Identifier(name)))}
            for (name,) in names
        }


def files(data: Path) -> dict[str, str]:
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for tree in TREES
        for path in (data / tree).rglob("*")
        if path.is_file() and "incoming" not in path.parts
    }


def documented(heading: str) -> list[list[str]]:
    """The commands of a section of the page, as words."""
    page = (CHECKOUT / "docs" / "operations.md").read_text()
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line]


def test_what_the_page_says_gives_the_same_rows_and_files(
    installation: Postgres, base: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {"/backup/proctor": str(base / "backup"), "/var/lib/proctor/restored": str(base / "restored")}
    commands = [[paths.get(word, word) for word in words] for words in documented("Backup")]
    assert [words[:2] for words in commands] == [
        ["proctor-admin", name] for name in ("backup", "backup", "restore", "up")
    ]
    monkeypatch.setenv("PROCTOR_DATA", str(installation.data))
    before, rows = files(installation.data), rows_of(installation)
    for words in commands[:2]:
        done = run(*words[1:])
        assert done.exit_code == 0, done.output
    assert (base / "backup").stat().st_mode & 0o777 == 0o700
    restored = run(*commands[2][1:])
    assert restored.exit_code == 0, restored.output
    assert "Identical with the backup" in restored.output
    assert f"proctor-admin up --data {base / 'restored'}" in " ".join(restored.output.split())
    assert files(base / "restored") == before
    again = Postgres(base / "restored", durable=False)
    again.start()
    try:
        found = rows_of(again)
        assert {name for name in rows if rows[name] != found[name]} == set()
        assert len(found["users"]) == 3
    finally:
        again.stop()


def test_a_backup_is_restored_among_empty_folders_and_not_beside_a_file(
    installation: Postgres, base: Path, run: Run
) -> None:
    """As where volumes are mounted on the folders."""
    assert run("backup", base / "backup", "--data", installation.data).exit_code == 0
    before = files(installation.data)
    for name in ("blobs", "inputs/lost+found", "uploads"):
        (base / "restored" / name).mkdir(parents=True)
    (base / "restored" / "uploads" / "half").touch()
    refused = run("restore", base / "backup", "--data", base / "restored")
    assert (refused.exit_code, "holds uploads already" in refused.output) == (1, True), refused.output
    (base / "restored" / "uploads" / "half").unlink()
    restored = run("restore", base / "backup", "--data", base / "restored")
    assert restored.exit_code == 0, restored.output
    assert files(base / "restored") == before


def test_a_later_backup_takes_what_is_new_and_leaves_the_ones_before_as_they_were(
    installation: Postgres, base: Path, run: Run
) -> None:
    target = base / "backup"
    assert run("backup", target, "--data", installation.data).exit_code == 0
    (first,) = target.glob("2*")
    then = files(first)
    add_rows(installation)
    (installation.data / "inputs" / "x" / "t1w.nii.gz").write_bytes(b"other")
    (installation.data / "references" / "x" / "label.txt").unlink()
    (installation.data / "blobs" / "ab" / "abce").write_bytes(b"new")
    installation.stop()
    done = run("backup", target, "--data", installation.data, "--without-keys")
    assert done.exit_code == 0, done.output
    second = next(path for path in target.glob("2*") if path != first)
    assert (first / "blobs/ab/abcd").stat().st_ino == (second / "blobs/ab/abcd").stat().st_ino
    assert files(first) == then
    keyless = {name: digest for name, digest in files(installation.data).items() if "secrets" not in name}
    assert files(second) == keyless
    restored = run("restore", target, "--data", base / "restored")
    assert restored.exit_code == 0, restored.output
    assert "holds no keys" in restored.output
    assert not (base / "restored/secrets/secret_key").exists(), "'up' asks for it"
    # A third one that cannot be finished leaves no trace, and is not taken for a backup.
    (installation.data / "blobs" / "ab" / "lost").symlink_to("nowhere")
    refused = run("backup", target, "--data", installation.data, "--keep", 1)
    assert (refused.exit_code, "none was made" in refused.output) == (1, True), refused.output
    assert sorted(target.glob("2*")) == [first, second]
    assert not list(target.glob(".unfinished*"))


@pytest.mark.parametrize("where", ["data/backup", "data"])
def test_a_backup_does_not_lie_inside_what_it_saves(
    installation: Postgres, base: Path, run: Run, where: str
) -> None:
    refused = run("backup", base / where, "--data", installation.data)
    assert (refused.exit_code, "another disk" in refused.output) == (1, True)


def test_a_directory_of_something_else_becomes_no_backup_and_old_ones_go(
    installation: Postgres, base: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "scans" / "lost+found").mkdir(parents=True)
    (base / "scans" / ".hidden").touch()
    for _ in range(3):
        assert run("backup", base / "scans", "--data", installation.data, "--keep", 2).exit_code == 0
    assert len(list((base / "scans").glob("2*"))) == 2
    (base / "photographs" / "Task_1").mkdir(parents=True)
    refused = run("backup", base / "photographs", "--data", installation.data)
    assert (refused.exit_code, "Task_1, which is of no backup" in refused.output) == (1, True)
    assert [one.name for one in (base / "photographs").iterdir()] == ["Task_1"]
    usage = shutil.disk_usage(base)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    full = run("backup", base / "full", "--data", installation.data)
    assert (full.exit_code, "Nothing was written" in " ".join(full.output.split())) == (1, True)


def test_when_it_was_made_is_noted_where_the_server_sees_it_and_is_no_part_of_the_backup(
    installation: Postgres, base: Path, run: Run
) -> None:
    """Of DATA a container may write the mounted folders alone."""
    began = datetime.now(UTC)
    assert run("backup", base / "backup", "--data", installation.data).exit_code == 0
    assert list(installation.data.glob("**/last_backup")) == [installation.data / "uploads" / "last_backup"]
    noted = last_backup(installation.data)
    assert noted is not None
    assert began <= noted <= datetime.now(UTC)
    (note := installation.data / "uploads" / "last_backup").unlink()
    note.mkdir()
    done = run("backup", base / "backup", "--data", installation.data, "--keep", 1)
    assert done.exit_code == 0, done.output
    assert "show an earlier moment" in done.output
    (made,) = (base / "backup").glob("2*")
    assert (made / "manifest.json").is_file()


def test_a_restore_that_was_killed_is_no_installation_and_the_next_one_begins_anew(
    installation: Postgres, base: Path, run: Run
) -> None:
    assert run("backup", base / "backup", "--data", installation.data).exit_code == 0
    target = base / "restored"
    command = [sys.executable, "-m", "worker.admin", "restore", base / "backup", "--data", target]
    process = subprocess.Popen(command, cwd=CHECKOUT)
    until = time.monotonic() + 60
    while not (target / "postgres" / "postmaster.pid").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.kill()
    process.wait()
    for refused in (run("up", "--data", target, "--port", 0), run("status", "--data", target)):
        assert refused.exit_code == 1
        assert "did not end, so what lies there is not whole" in " ".join(refused.output.split())
    again = run("restore", base / "backup", "--data", target)
    assert again.exit_code == 0, again.output
    assert "was broken off before" in " ".join(again.output.split())
    assert files(target) == files(installation.data)
    assert not (target / "restore.unfinished").exists()
    (base / "third").mkdir()
    with (base / "third" / "restore.unfinished").open("a") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        refused = run("restore", base / "backup", "--data", base / "third")
    assert (refused.exit_code, "is under way" in refused.output) == (1, True)


def test_where_there_is_no_installation_nothing_is_made(base: Path, run: Run) -> None:
    refused = run("backup", base / "backup", "--data", base / "nothing")
    assert (refused.exit_code, "There is no installation" in refused.output) == (1, True)
    assert not (base / "nothing").exists()
    assert not (base / "backup").exists()
    assert "holds no whole backup" in run("restore", base, "--data", base / "third").output
    assert not (base / "third").exists()


def test_migrations_find_packages_that_only_pythonpath_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the images, where a restore migrates what it restored."""
    (tmp_path / "alembic").mkdir()
    (tmp_path / "alembic" / "__init__.py").touch()
    (tmp_path / "alembic" / "__main__.py").write_text("raise SystemExit('found here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ServiceError, match="found here"):
        migrate("postgresql+psycopg://nowhere/none")
