"""An installation of before, with evaluations, cases and uploads in every status, is upgraded and goes on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import func, select, update

from contract.statuses import CaseStatus, EvaluationStatus, UploadStatus
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.evaluations import faults
from server.evaluations.models import CaseRun
from server.events import PLATFORM
from server.settings import Settings
from server.uploads.files import upload_path
from server.uploads.models import Upload
from tests.conftest import copied_database
from tests.server.conftest import PASSWORD, Clients, Tus, serving
from tests.server.lab import Entrant, Lab
from tests.server.test_admin_lists import items
from tests.server.test_board_snapshot import holds
from tests.server.test_dataset_migration import alembic
from tests.server.test_scoring_worker import LABELS, score, write_references
from worker.embedded.postgres import Postgres
from worker.score.images import check_waiting

DATA = Path(__file__).parents[1] / "data"
BEFORE = json.loads((DATA / "revision_0011.json").read_text(encoding="utf-8"))
"""What the server of before answered: by what was asked, then by the name of the team or what the upload is."""
ENDED = ("Scored", "Better", "Rejected", "Invalid", "Errored", "Unscored", "Cancelled")
IDS = {name: evaluation["id"] for name, evaluation in BEFORE["evaluations"].items()}
BYTES = {"put back": b"a second go", "taken": b"being checked", "waiting": b"to be checked"}


Rows = dict[str, set[str]]
"""By table, each row as JSON."""


def rows(url: str) -> Rows:
    """Every row of every table, but for what names the revision."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            name: {
                json.dumps(row, sort_keys=True)
                for (row,) in connection.execute(
                    sql.SQL("SELECT to_jsonb(row) FROM {} AS row").format(sql.Identifier(name))
                )
            }
            for (name,) in tables
            if name != "alembic_version"
        }


def of_one_platform(event: str) -> str:
    """An event whose actor has the one name that the platform has by now, which is all that the way back leaves."""
    row = json.loads(event)
    if row["actor"] in ("system", "score worker"):
        row["actor"] = PLATFORM
    return json.dumps(row, sort_keys=True)


@pytest.fixture(scope="module")
def before(embedded_postgres: Postgres) -> Iterator[str]:
    """The name of a database at revision 0011 with everything that was in it."""
    name = f"before_{uuid4().hex[:8]}"
    with embedded_postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = embedded_postgres.url(name)
    alembic(url, "upgrade", "0011")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("SET session_replication_role = replica")  # in whatever order
        connection.execute((DATA / "revision_0011.sql").read_bytes())
    yield name
    with embedded_postgres.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class Upgraded:
    """A database that was upgraded, taken back and upgraded again: its name, its rows before and once it was back."""

    name: str
    stored: Rows
    back: Rows


@pytest.fixture(scope="module")
def upgraded(embedded_postgres: Postgres, before: str) -> Iterator[Upgraded]:
    for url in copied_database(embedded_postgres, before):
        stored = rows(url)
        alembic(url, "upgrade", "head")
        alembic(url, "downgrade", "0011")
        back = rows(url)
        alembic(url, "upgrade", "head")
        yield Upgraded(url.split("?")[0].rsplit("/", 1)[1], stored, back)


@pytest.fixture
def settings(embedded_postgres: Postgres, upgraded: Upgraded, tmp_path: Path) -> Iterator[Settings]:
    """Of a server on a database of the test's own, with the outputs that the stored rows name."""
    for url in copied_database(embedded_postgres, upgraded.name):
        values = {"data": tmp_path, "secret_key": "k" * 40, "DATABASE_URL": url, "hold_ends": False}
        settings = Settings.model_validate(values)
        for output in (b"0.1\n", b"0.5\n", b"0.9\n"):
            settings.blobs.put(output)
        yield settings


@pytest.fixture
def served(settings: Settings) -> Iterator[tuple[str, SessionFactory]]:
    app = create_app(settings)
    with serving(app) as url:
        yield url, app.state.sessions
    app.state.sessions.kw["bind"].dispose()


@pytest.fixture
def lab(sessions: SessionFactory, settings: Settings, clients: Clients) -> Lab:
    """The challenge as it was left."""
    return Lab(sessions, settings, BEFORE["slug"], clients)


def log_in(lab: Lab, name: str) -> httpx.Client:
    """Whoever is called so, with the password of before."""
    with psycopg.connect(lab.settings.database_url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT email FROM users WHERE name = %s", [name]).fetchone()
    assert row is not None
    credentials = {"email": row[0], "password": PASSWORD}
    answer = lab.clients(None).post("/sessions", json=credentials)
    assert answer.status_code == 201, answer.text
    return lab.clients(answer.json()["token"])


def team(lab: Lab, name: str) -> Entrant:
    http = log_in(lab, name)
    mine = http.get(f"/challenges/{lab.slug}/teams/mine").json()
    return Entrant(http, lab.slug, mine["id"], BEFORE["evaluations"][name]["image"])


def test_the_rows_of_before_are_in_every_status(upgraded: Upgraded) -> None:
    for table, statuses in (
        ("evaluations", EvaluationStatus),
        ("case_runs", CaseStatus),
        ("uploads", UploadStatus),
    ):
        assert {json.loads(row)["status"] for row in upgraded.stored[table]} == set(statuses), table


def test_the_way_back_gives_every_row_as_it_was(upgraded: Upgraded) -> None:
    assert upgraded.back.keys() == upgraded.stored.keys()
    for table, stored in upgraded.stored.items():
        assert upgraded.back[table] == (set(map(of_one_platform, stored)) if table == "events" else stored), (
            table
        )


def test_the_server_answers_as_before_of_all_that_had_ended(lab: Lab) -> None:
    admin, address = log_in(lab, "Grace"), f"/challenges/{lab.slug}/leaderboards/validation"
    tracks = {track["track"]: track for track in admin.get(address).json()["tracks"]}
    standings = [  # of which two fields have other names by now
        {**row, "eligible_placement": row["prize"], "prize": row["wins"]}
        for row in BEFORE["board"]["unified"]
    ]
    for row in standings:
        del row["wins"]
    holds(tracks["open"], {**BEFORE["board"], "unified": standings})
    for name in ENDED:
        holds(team(lab, name).evaluation(IDS[name]), BEFORE["evaluations"][name], name)
        holds(admin.get(f"/evaluations/{IDS[name]}/cases").json(), BEFORE["cases"][name], name)
        holds(team(lab, name).quota(), BEFORE["quota"][name], name)
    for name, receipt in BEFORE["receipts"].items():
        holds(admin.get(f"/admin/evaluations/{IDS[name]}/receipt").json(), receipt, name)
    holds(admin.get("/admin/errors", params={"challenge": lab.slug}).json(), BEFORE["errors"])
    for what, upload in BEFORE["uploads"].items():
        holds(team(lab, "Scored").http.get(f"/uploads/{upload['id']}").json(), upload, what)


def test_what_waited_ran_or_was_being_scored_goes_on_to_the_board(lab: Lab) -> None:
    write_references(lab, IDS["Scoring"], LABELS)
    with unit_of_work(lab.sessions) as session:
        assert faults.expire_leases(session, settings=lab.settings) == 1, "its worker is long gone"
    assert lab.unpark() == 2
    worker = lab.worker()
    assert worker.drain() == 4 + 5
    for name in ("Running", "Queued"):
        assert {run.status for run in lab.runs(IDS[name])} == {CaseStatus.DONE}
        assert score(lab, IDS[name]).status is EvaluationStatus.SCORED, name
    assert score(lab, IDS["Scoring"]).status is EvaluationStatus.SCORED
    assert score(lab, IDS["Claimed"]).scoring_faults == 1, "its score worker ended without a word"
    claimed = score(lab, IDS["Claimed"])
    assert (claimed.status, claimed.scoring_claim_no) == (EvaluationStatus.SCORED, 2)
    tracks = lab.clients(None).get(f"/challenges/{lab.slug}/leaderboards/validation").json()["tracks"]
    (board,) = (
        board
        for track in tracks
        if track["track"] == "open"
        for board in track["boards"]
        if board["board"] == "task5"
    )
    on_it = {entry["team"] for entry in board["entries"]}
    assert on_it == {"Scored", "Better", "Running", "Queued", "Scoring", "Claimed"}


@pytest.mark.parametrize(("name", "cases"), [("Errored", 3), ("Unscored", 0)])
def test_what_was_errored_is_retried(lab: Lab, name: str, cases: int) -> None:
    write_references(lab, IDS[name], LABELS)
    with unit_of_work(lab.sessions) as session:
        others = update(CaseRun).where(CaseRun.evaluation_id != UUID(IDS[name]))
        session.execute(others.values(status=CaseStatus.DONE))
    admin = log_in(lab, "Grace")
    assert admin.post(f"/admin/evaluations/{IDS[name]}/retry", json={}).status_code == 204
    assert lab.worker().drain() == cases
    assert score(lab, IDS[name]).status is EvaluationStatus.SCORED
    assert team(lab, name).quota()["spent"] == 1


def test_uploads_go_on_where_they_were(lab: Lab) -> None:
    uploads = {what: UUID(upload["id"]) for what, upload in BEFORE["uploads"].items()}
    for what, content in {"part": b"01234", "none": b"", **BYTES}.items():
        path = upload_path(lab.settings.uploads, uploads[what])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with unit_of_work(lab.sessions) as session:
        past = func.now() - timedelta(seconds=1)
        session.execute(update(Upload).values(expires_at=func.now() + timedelta(days=1)))
        for column in (Upload.check_not_before, Upload.check_lease_until):
            session.execute(update(Upload).where(column.is_not(None)).values({column: past}))
    assert check_waiting(lab.sessions, lab.settings) == len(BYTES)
    http = team(lab, "Scored").http
    tus = Tus(http)
    address = f"{http.base_url}uploads/{uploads['part']}"
    assert tus.offset(address) == 5
    assert tus.patch(address, 5, b"56789").status_code == 204
    with unit_of_work(lab.sessions) as session:
        found = {upload.id: upload for upload in session.scalars(select(Upload))}
    assert {what: found[id_].status for what, id_ in uploads.items()} == {
        "none": UploadStatus.RECEIVING,
        "part": UploadStatus.CHECKING,
        "ready": UploadStatus.READY,
        **dict.fromkeys(("rejected", *BYTES), UploadStatus.REJECTED),
    }
    assert {found[uploads[what]].code for what in BYTES} == {"not_a_tar"}


def test_admins_filter_the_events_of_before(lab: Lab) -> None:
    admin = log_in(lab, "Grace")

    def said(**filters: Any) -> list[tuple[object, ...]]:
        found = items(admin, "events", **filters)
        return [tuple(event[key] for key in ("old", "new", "code", "claim_no")) for event in reversed(found)]

    assert said(subject="evaluation", id=IDS["Invalid"]) == [
        ("queued", "running", None, None),
        ("running", "rejected", "all_failed", None),
        (None, None, None, None),
    ]
    assert said(id=BEFORE["uploads"]["rejected"]["id"]) == [
        (None, "receiving", None, None),
        ("receiving", "checking", None, None),
        ("checking", "rejected", "not_a_tar", None),
    ]
    with unit_of_work(lab.sessions) as session:
        parked = select(CaseRun.id).where(CaseRun.status == CaseStatus.PARKED)
        (case_run,) = session.scalars(parked).all()
    assert said(id=str(case_run)) == [
        ("waiting", "running", None, 1),
        ("running", "parked", "engine_unavailable", 1),
    ]
