"""A backup of a server that lives, restored elsewhere: the same boards and receipts, and nothing lost that ran."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from click.testing import Result
from sqlalchemy import make_url, select

from server.app import create_app
from server.audit.service import seal
from server.database import unit_of_work
from server.evaluations.models import CaseRun
from server.evaluations.receipt_keys import require_own_key
from server.recovery.unfinished import RESTORE_LOCK
from server.settings import Settings
from tests.server.conftest import Person, Tus, serving
from tests.server.lab import Entrant, Json, Lab
from tests.server.organizer import Admin, words
from tests.server.seeded import season_reports, settle
from worker.embedded.data import CHECKOUT
from worker.embedded.migrations import migrate
from worker.embedded.process import ServiceError


def boards(http: httpx.Client, slug: str) -> Json:
    answer = http.get(f"/challenges/{slug}/leaderboards/validation")
    assert answer.status_code == 200, answer.text
    return {key: value for key, value in answer.json().items() if key != "at"}


@pytest.fixture
def elsewhere(command: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Restores into another directory and another database of one's own."""

    def restore(folder: Path, url: str, name: str = "new") -> Result:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("PROCTOR_DATA", str(tmp_path / name))
        return command("restore", folder)

    return restore


def require_identical(told: str, sealed: str) -> None:
    """What `restore` says of a backup that came back whole, whose chain ended with `sealed`."""
    assert "Identical with the backup" in told
    assert "boards are as they were" in told
    assert f"The chain of the log ends as it did, with {sealed}" in told
    assert re.search(r" [1-9]\d* receipts verify", told)
    assert "verify with no key" not in told
    assert "1 case that ran" in told
    assert "1 unfinished upload ended" in told
    assert "1 person who was erased since the backup is erased again" in told


def test_a_restored_server_has_the_same_boards_and_receipts_and_loses_nothing(
    lab: Lab,
    entrant: Callable[[str], Entrant],
    person: Callable[..., Person],
    admin: Person,
    command: Admin,
    tmp_path: Path,
    elsewhere: Callable[..., Result],
    empty_database: Callable[[], str],
) -> None:
    root, teams, reports = tmp_path / "backups", [entrant(name) for name in ("Ada", "Bob")], season_reports()
    lab.dataset("task1", cases=3)
    with unit_of_work(lab.sessions) as session:
        require_own_key(session, lab.settings)  # as whatever starts a server does
    scored = [
        settle(lab, team, {"task1": reports[name]["task1"]}, task="task1")
        for team, name in zip(teams, ("Ada", "Cyd"), strict=True)
    ]
    upload = Tus(teams[0].http).begin(lab.slug, b"half", length=1000)
    lease, gone = (teams[0].submit("task1"), lab.worker().take())[1], person("Eve Example")
    with unit_of_work(lab.sessions) as session:
        sealed = str(seal(session))
    first = words(command("backup", root))
    assert "rows in" in first, first
    # Somebody is erased afterwards, and the next backup knows it.
    body = {"email": gone.email, "why": "they asked for it"}
    assert admin.http.post(f"/admin/users/{gone.id}/erasure", json=body).status_code == 200
    extra = lab.settings.blobs.put(b"written since")
    assert command("backup", root, "--keep", 5).exit_code == 0
    old, new = sorted(path for path in root.iterdir() if path.is_dir())
    layer = next(path for path in (old / "blobs").rglob("*") if path.is_file()).relative_to(old)
    assert (old / layer).stat().st_ino == (new / layer).stat().st_ino
    assert not (old / f"blobs/{extra[7:9]}/{extra[7:]}").exists()
    assert "as it was written" in words(command("backup", root, "--verify"))

    require_identical(words(elsewhere(old, url := empty_database())), sealed)
    settings = Settings.model_validate(
        {"data": tmp_path / "new", "DATABASE_URL": url, "secret_key": "k" * 40, "hold_ends": False}
    )
    app = create_app(settings)
    with serving(app) as address:
        again = httpx.Client(base_url=f"{address}/api/v1", headers=admin.http.headers, timeout=30)
        assert boards(again, lab.slug) == boards(admin.http, lab.slug)
        for evaluation in scored:
            path = f"/admin/evaluations/{evaluation}/receipt"
            assert again.get(path).json() == admin.http.get(path).json()
        person_out = again.get("/admin/users", params={"find": gone.id}).json()["items"]
        assert [(one["email"], one["name"]) for one in person_out] == [
            (f"erased-{gone.id}@erased.invalid", "former member")
        ]
        ended = httpx.get(
            upload.replace(upload.split("/api")[0], address), headers=teams[0].http.headers
        ).json()
        assert (ended["status"], ended["code"]) == ("rejected", "upload_expired"), ended
        again.close()
    with unit_of_work(app.state.sessions) as session:
        run = session.scalars(select(CaseRun).where(CaseRun.id == UUID(lease["case_run"]))).one()
        assert (run.status, run.faults) == ("waiting", 0)
    app.state.sessions.kw["bind"].dispose()


def test_nothing_is_restored_over_anything_nor_from_what_was_touched(
    lab: Lab,
    team: Entrant,
    command: Admin,
    tmp_path: Path,
    elsewhere: Callable[..., Result],
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "backups"
    assert command("backup", root).exit_code == 0
    (whole,) = (path for path in root.iterdir() if path.is_dir())
    living = command("restore", root)
    assert (living.exit_code, "already" in living.output) == (1, True)
    filled = elsewhere(root, lab.settings.database_url)
    assert (filled.exit_code, "has tables already" in filled.output) == (1, True)
    empty = empty_database()
    monkeypatch.setenv("PROCTOR_SECRET_KEY", "another" * 6)
    other_key = elsewhere(root, empty)
    assert (other_key.exit_code, "not the key of this backup" in words(other_key)) == (1, True)
    monkeypatch.setenv("PROCTOR_SECRET_KEY", lab.settings.secret_key.get_secret_value())

    def broken(told: str, *parts: str, change: Callable[[Path], object]) -> None:
        copy = tmp_path / "copies" / told.replace(" ", "-") / whole.name
        shutil.copytree(whole, copy)
        change(copy.joinpath(*parts))
        for refused in (command("backup", copy, "--verify"), elsewhere(copy, empty)):
            assert refused.exit_code == 1
            assert told in words(refused), refused.output
        assert not (tmp_path / "new").is_dir() or not list((tmp_path / "new").iterdir())
        shutil.rmtree(copy)

    blob = next(path for path in (whole / "blobs").rglob("*") if path.is_file()).relative_to(whole).parts
    broken(
        "was changed or cut short", *blob, change=lambda path: path.write_bytes(b"x" * path.stat().st_size)
    )
    broken(
        "cut short: its sha256", "database.dump", change=lambda path: path.write_bytes(path.read_bytes()[:-9])
    )
    broken("is missing", *blob, change=lambda path: path.unlink())
    broken(
        "list of files", "SHA256SUMS", change=lambda path: path.write_text(path.read_text().split("\n", 1)[1])
    )
    for line in (b"postgres/PG_VERSION", b"../../x", b"/x", b"\xff"):
        added = b"0" * 64 + b"  " + line + b"\n"
        broken("no sha256 and path", "SHA256SUMS", change=partial(Path.write_bytes, data=added))
    for listed in ("{}", '["me"]', "[" * 100_000):
        (root / "erased.json").write_text(listed)
        unread = elsewhere(root, empty)
        assert (unread.exit_code, "who was erased" in words(unread)) == (1, True), unread.output
    (root / "erased.json").unlink()
    broken("cannot be read", "manifest.json", change=lambda path: path.write_text("{}"))
    newer = whole.with_name("newer")
    shutil.copytree(whole, newer)
    text = (newer / "manifest.json").read_text()
    (newer / "manifest.json").write_text(text.replace('"revision": "', '"revision": "from-the-future-'))
    refused = elsewhere(newer, empty)
    assert (refused.exit_code, "made by a newer version" in words(refused)) == (1, True)


def connected(url: str, name: str = "tests") -> psycopg.Connection:
    """A connection of a program with this name."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, application_name=name)


def things_in(url: str) -> set[str]:
    """The tables and functions of a database."""
    query = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
        "UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    with connected(url) as connection:
        return {name for (name,) in connection.execute(query)}


def test_a_restore_that_fails_when_all_is_loaded_leaves_an_empty_database_and_the_next_one_works(
    lab: Lab,
    team: Entrant,
    command: Admin,
    tmp_path: Path,
    elsewhere: Callable[..., Result],
    empty_database: Callable[[], str],
) -> None:
    assert command("backup", tmp_path / "backups").exit_code == 0
    (whole,) = (path for path in (tmp_path / "backups").iterdir() if path.is_dir())
    other = tmp_path / "other" / whole.name
    shutil.copytree(whole, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["audit_head"] = "1-" + "0" * 64  # what is looked at last
    (other / "manifest.json").write_text(json.dumps(manifest))
    url = empty_database()
    failed = elsewhere(other, url)
    assert (failed.exit_code, "The chain of the log ends with" in words(failed)) == (1, True)
    assert things_in(url) == set()
    assert [*(tmp_path / "new").iterdir()] == []
    again = elsewhere(whole, url)
    assert again.exit_code == 0, again.output
    assert "restore_under_way" not in things_in(url)


def killed_when_loaded(folder: Path, data: Path, url: str) -> None:
    """A restore whose process is killed once its tables are there, which is seconds before it has ended."""
    told = {"DATABASE_URL": url, "PROCTOR_DATA": str(data)}
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.admin", "restore", folder], cwd=CHECKOUT, env=os.environ | told
    )
    until = time.monotonic() + 60
    while "users" not in things_in(url):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_after_a_restore_that_was_killed_nothing_works_on_the_database_until_one_has_ended(
    lab: Lab,
    team: Entrant,
    command: Admin,
    tmp_path: Path,
    elsewhere: Callable[..., Result],
    empty_database: Callable[[], str],
) -> None:
    assert command("backup", tmp_path / "backups").exit_code == 0
    killed_when_loaded(tmp_path / "backups", tmp_path / "new", url := empty_database())
    with pytest.raises(ServiceError, match="has not ended"):
        migrate(url)
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "mine").touch()
    refused = elsewhere(tmp_path / "backups", url, "third")
    assert (refused.exit_code, "holds mine already" in words(refused)) == (1, True)
    assert (tmp_path / "third" / "mine").exists()

    shutil.rmtree(tmp_path / "new")
    killed_when_loaded(tmp_path / "backups", tmp_path / "new", url)
    saved = command("backup", tmp_path / "more")
    assert (saved.exit_code, "has not ended" in words(saved)) == (1, True)
    with connected(url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [RESTORE_LOCK])
        twice = elsewhere(tmp_path / "backups", url)
    assert (twice.exit_code, "is under way" in words(twice)) == (1, True)
    with connected(url, "pg_restore") as loads:  # as one that goes on when what began it is killed
        loads.execute("LOCK TABLE users")
        again = elsewhere(tmp_path / "backups", url)
        assert again.exit_code == 0, again.output
        assert "was broken off before" in words(again)
        with pytest.raises(psycopg.OperationalError):
            loads.execute("SELECT 1")
    migrate(url)
