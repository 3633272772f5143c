"""The server as it runs: uvicorn on a socket before a real PostgreSQL, and people who use it over HTTP."""

import base64
import hashlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from click.testing import Result
from fastapi import FastAPI
from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from contract.accounts import Scope
from contract.ids import UserId
from contract.statuses import CaseStatus, EvaluationStatus
from evaluator.spec import Challenge, load_challenge
from server.accounts.models import Account, TokenKind
from server.accounts.tokens import issue
from server.app import create_app
from server.challenges.service import apply
from server.database import Base, SessionFactory, unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.status import ACTIVE, UNDER_WAY
from server.evaluations.worker_models import WorkerSlot
from server.front.protocol import Protocol
from server.settings import Settings
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from worker.admin.main import collect

Clients = Callable[[str | None], httpx.Client]

SETUP_TOKEN = "the-setup-token-of-these-tests"
PASSWORD = "the password of everybody in these tests"
_TLS = ssl.create_default_context()  # made once: clients that each make their own cost 30 ms
FOMO26 = Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml"


@dataclass(frozen=True)
class Person:
    """Somebody with an account; `http` sends a session token."""

    http: httpx.Client
    id: str
    email: str
    token: str


@dataclass(frozen=True)
class Tus:
    """A tus client that does one step at a time."""

    http: httpx.Client

    def create(self, slug: str, data: bytes, *, length: int | None = None, **metadata: str) -> httpx.Response:
        values = {"sha256": hashlib.sha256(data).hexdigest(), **metadata}
        pairs = [f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items()]
        headers = {
            "Upload-Length": str(len(data) if length is None else length),
            "Upload-Metadata": ",".join(pairs),
        }
        return self.http.post(f"/challenges/{slug}/uploads", headers={"Tus-Resumable": "1.0.0", **headers})

    def patch(self, location: str, offset: int, content: Any) -> httpx.Response:
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        return self.http.patch(location, headers={"Tus-Resumable": "1.0.0", **headers}, content=content)

    def begin(self, slug: str, data: bytes, *, length: int | None = None, **metadata: str) -> str:
        """A new upload's address."""
        created = self.create(slug, data, length=length, **metadata)
        assert created.status_code == 201, created.text
        return str(self.http.base_url.join(created.headers["Location"]))

    def offset(self, location: str) -> int:
        answer = self.http.head(location, headers={"Tus-Resumable": "1.0.0"})
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["Upload-Offset"])

    def upload(self, slug: str, data: bytes) -> dict[str, Any]:
        """A whole upload; what GET says of it afterwards."""
        location = self.begin(slug, data)
        assert self.patch(location, 0, data).status_code == 204
        return dict(self.http.get(location).json())


@pytest.fixture(scope="session")
def settings(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.model_validate(
        {
            "data": tmp_path_factory.mktemp("data"),
            "secret_key": "k" * 40,
            "DATABASE_URL": postgres_url,
            "setup_token": SETUP_TOKEN,
            "upload_limit": 200 * 2**20,
            "hold_ends": False,
            # Everybody here comes from one address.
            "requests_per_token": 1_000_000,
            "requests_per_address": 1_000_000,
        }
    )


@pytest.fixture(scope="session")
def served(settings: Settings) -> Iterator[tuple[str, SessionFactory]]:
    """The running application's address, and its sessions."""
    app = create_app(settings)
    sessions: SessionFactory = app.state.sessions
    engine = sessions.kw["bind"]
    Base.metadata.create_all(engine)  # finds everything made where migrations have run
    with serving(app) as url:
        yield url, sessions


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address of the application, as `python -m server` serves it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", ws="none", http=Protocol, lifespan="on", timeout_keep_alive=75
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def session(served: tuple[str, SessionFactory]) -> Iterator[Session]:
    """One unit of work beside the requests; it commits at the end of the test."""
    with unit_of_work(served[1]) as session:
        yield session


@pytest.fixture
def sessions(served: tuple[str, SessionFactory]) -> SessionFactory:
    return served[1]


@pytest.fixture
def clients(served: tuple[str, SessionFactory]) -> Iterator[Clients]:
    """Makes HTTP clients that send a token."""
    opened: list[httpx.Client] = []

    def client(token: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = f"{served[0]}/api/v1"
        opened.append(httpx.Client(base_url=address, headers=headers, timeout=30, verify=_TLS))
        return opened[-1]

    yield client
    for one in opened:
        one.close()


@pytest.fixture
def nobody(clients: Clients) -> httpx.Client:
    """A client without a token."""
    return clients(None)


@pytest.fixture
def person(sessions: SessionFactory, clients: Clients) -> Callable[..., Person]:
    """Makes somebody with an account and a session; all have the same password, hashed once."""

    def make(name: str = "Ada") -> Person:
        email = f"{uuid4().hex}@example.org"
        with unit_of_work(sessions) as session:
            account = Account(email=email, name=name, password_hash=_password_hash())
            session.add(account)
            session.flush()
            scopes = [Scope.READ, Scope.SUBMIT, Scope.ORGANIZE]
            token, _ = issue(session, TokenKind.SESSION, name="log-in", user_id=account.id, scopes=scopes)
        return Person(http=clients(token), id=str(account.id), email=email, token=token)

    return make


@cache
def _password_hash() -> str:
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)


@pytest.fixture(scope="session")
def first_admin(served: tuple[str, SessionFactory]) -> tuple[str, str, str]:
    """Id, address and session token of the admin that the setup token made."""
    with httpx.Client(base_url=f"{served[0]}/api/v1", verify=_TLS) as http:
        credentials = {"email": "admin@example.org", "password": PASSWORD}
        answer = http.post("/accounts", json={**credentials, "name": "Grace", "setup_token": SETUP_TOKEN})
        assert answer.status_code == 201, answer.text
        token = http.post("/sessions", json=credentials).json()["token"]
    return answer.json()["id"], credentials["email"], token


@pytest.fixture
def admin(first_admin: tuple[str, str, str], sessions: SessionFactory, clients: Clients) -> Person:
    """The admin with a session of this test's own: of one person's the oldest ends for one more than twenty."""
    id_, email, _ = first_admin
    with unit_of_work(sessions) as session:
        scopes = [Scope.READ, Scope.SUBMIT, Scope.ORGANIZE, Scope.ADMIN]
        token, _ = issue(session, TokenKind.SESSION, name="log-in", user_id=UserId(UUID(id_)), scopes=scopes)
    return Person(http=clients(token), id=id_, email=email, token=token)


@pytest.fixture(scope="session")
def fomo26() -> Challenge:
    return load_challenge(FOMO26)


@pytest.fixture
def slug(sessions: SessionFactory, fomo26: Challenge) -> str:
    """A challenge of this test's own: FOMO26's file under another name."""
    name = f"fomo-{uuid4().hex[:10]}"
    spec = fomo26.model_copy(update={"challenge": name})
    with unit_of_work(sessions) as session:
        apply(session, spec, actor="tests")
    return name


@pytest.fixture
def browser(served: tuple[str, SessionFactory]) -> Iterator[httpx.Client]:
    """Nobody's browser, which asks for pages."""
    with httpx.Client(base_url=served[0], headers={"Accept": "text/html"}, timeout=60) as client:
        yield client


@pytest.fixture
def captain(person: Callable[..., Person], slug: str) -> Person:
    """Somebody with a team in the challenge."""
    somebody = person()
    answer = somebody.http.post(f"/challenges/{slug}/teams", json={"name": "The First"})
    assert answer.status_code == 201, answer.text
    return somebody


@pytest.fixture
def team_id(captain: Person, slug: str) -> str:
    return str(captain.http.get(f"/challenges/{slug}/teams/mine").json()["id"])


@pytest.fixture
def stranger(person: Callable[..., Person], slug: str) -> Person:
    """Somebody with another team of the same challenge."""
    somebody = person("Bob")
    assert somebody.http.post(f"/challenges/{slug}/teams", json={"name": "The Others"}).status_code == 201
    return somebody


@pytest.fixture
def tus(captain: Person) -> Tus:
    return Tus(captain.http)


@pytest.fixture
def lab(sessions: SessionFactory, settings: Settings, slug: str, clients: Clients) -> Lab:
    """The challenge `slug` with cases for task5; nothing else waits, and no slot has been seen."""
    with unit_of_work(sessions) as session:
        active = Evaluation.status.in_([status.value for status in ACTIVE])
        session.execute(update(Evaluation).where(active).values(status=EvaluationStatus.CANCELLED.value))
        leased = CaseRun.status.in_(UNDER_WAY)
        session.execute(update(CaseRun).where(leased).values(status=CaseStatus.DROPPED.value))
        session.execute(delete(WorkerSlot))
    lab = Lab(sessions, settings, slug, clients)
    lab.dataset()
    return lab


@pytest.fixture
def entrant(lab: Lab, person: Callable[..., Person]) -> Callable[[str], Entrant]:
    """Makes a team with an image."""
    return lambda name: lab.entrant(person(name).http, name)


@pytest.fixture
def team(entrant: Callable[[str], Entrant]) -> Entrant:
    return entrant("The Team")


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Admin:
    """Runs a command as somebody would who has no terminal; a traceback is a failure."""
    environment = {
        "DATABASE_URL": settings.database_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    for key, value in environment.items():
        monkeypatch.setitem(os.environ, key, value)

    def run(*words: object) -> Result:
        result = CliRunner().invoke(collect(), [str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def imported(command: Admin, slug: str) -> Callable[..., Result]:
    """Imports a folder into the validation phase."""
    return lambda made, *words: command(
        "import-dataset", made.root, "--challenge", slug, "--task", made.task, "--phase", "validation", *words
    )
