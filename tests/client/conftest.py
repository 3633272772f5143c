"""The command against the server as it runs: uvicorn on a socket, a real PostgreSQL, and the image check at work."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import uvicorn
from click.testing import Result
from pydantic import SecretStr
from typer.testing import CliRunner

from client.api import Client
from client.commands import app
from evaluator.spec import Challenge, load_challenge
from server.app import create_app
from server.challenges.service import apply, get_challenge
from server.database import SessionFactory, unit_of_work
from server.datasets.models import Case, Dataset
from server.front.protocol import Protocol
from server.settings import Settings
from tests.conftest import copied_database
from worker.embedded.postgres import Postgres
from worker.score.images import check_waiting

FOMO26 = Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml"
Cli = Callable[..., Result]


@dataclass(frozen=True)
class Server:
    """A running server: its address, the sessions of its database, and its settings."""

    url: str
    sessions: SessionFactory
    settings: Settings


@dataclass(frozen=True)
class Participant:
    """Somebody with an account and a team."""

    email: str
    password: str
    token: str
    team: str


@pytest.fixture(scope="session")
def database_url(embedded_postgres: Postgres, database_template: str) -> Iterator[str]:
    """A database of this suite's own: its image check would take the uploads of the server's tests too."""
    yield from copied_database(embedded_postgres, database_template)


@pytest.fixture(scope="session")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = Settings(
        hold_ends=False,
        data=tmp_path_factory.mktemp("data"),
        secret_key=SecretStr("k" * 40),
        DATABASE_URL=database_url,
    )
    application = create_app(settings)
    sessions: SessionFactory = application.state.sessions
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(
        uvicorn.Config(
            application, log_level="warning", ws="none", http=Protocol, lifespan="on", timeout_keep_alive=75
        )
    )
    over = threading.Event()

    def check_images() -> None:
        while not over.wait(0.05):
            check_waiting(sessions, settings)

    threads = [
        threading.Thread(target=running.run, kwargs={"sockets": [listener]}),
        threading.Thread(target=check_images),
    ]
    for thread in threads:
        thread.start()
    while not running.started:
        time.sleep(0.01)
    yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", sessions, settings)
    running.should_exit = True
    over.set()
    for thread in threads:
        thread.join()
    with sessions() as session:
        bind = session.get_bind()
        getattr(bind, "engine", bind).dispose()


@pytest.fixture(scope="session")
def spec() -> Challenge:
    return load_challenge(FOMO26)


@pytest.fixture
def slug(server: Server, spec: Challenge) -> str:
    """A challenge of this test's own: FOMO26's file under another name, with a case per task."""
    name = f"fomo-{uuid4().hex[:10]}"
    with unit_of_work(server.sessions) as session:
        apply(session, spec.model_copy(update={"challenge": name}), actor="tests")
        challenge = get_challenge(session, name)
        for phase in ("sanity", "validation"):
            for task in spec.tasks:
                cases = [Case(ordinal=0, name="sub-01", files={})]
                digest = f"sha256:{uuid4().hex * 2}"
                session.add(
                    Dataset(
                        challenge_id=challenge.id,
                        phase=phase,
                        task=task,
                        digest=digest,
                        folder=task,
                        cases=cases,
                    )
                )
    return name


@pytest.fixture(scope="session")
def account(server: Server) -> tuple[str, str, str]:
    """E-mail, password and session token of the tests' participant: passwords are slow to hash."""
    email, password = f"{uuid4().hex}@example.org", f"pass-{uuid4().hex}"
    with Client(server.url) as client:
        client.register(email, "Ada", password)
        return email, password, client.log_in(email, password)


@pytest.fixture
def participant(server: Server, slug: str, account: tuple[str, str, str]) -> Participant:
    """The account with a team in this test's challenge."""
    with Client(server.url, account[2]) as client:
        return Participant(*account, client.create_team(slug, "The First").id)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command keeps what it remembers in this test."""
    for name in ("PROCTOR_URL", "PROCTOR_TOKEN", "PROCTOR_CHALLENGE", "PROCTOR_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROCTOR_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "config"


@pytest.fixture
def cli(config: Path) -> Cli:
    """Runs the command; not logged in."""
    return lambda *arguments, **options: CliRunner().invoke(app, [str(one) for one in arguments], **options)


@pytest.fixture
def mine(
    cli: Cli, server: Server, participant: Participant, slug: str, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """Runs the command as the participant, for the test's challenge."""
    monkeypatch.setenv("PROCTOR_CHALLENGE", slug)
    monkeypatch.setenv("PROCTOR_URL", server.url)
    monkeypatch.setenv("PROCTOR_TOKEN", participant.token)
    return cli
