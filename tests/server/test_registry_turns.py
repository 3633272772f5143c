"""Whose push is fetched next, how many of a team's wait at most, and what becomes of them when teams are merged."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from contract.ids import TeamId
from contract.statuses import UploadStatus
from server.accounts.models import TokenKind
from server.accounts.tokens import issue
from server.database import SessionFactory, unit_of_work
from server.registry import takes
from server.registry.remote import Remote
from server.registry.service import Pushed, Repository, note
from server.registry.signing import Grant, sign
from server.settings import Settings
from server.uploads.models import Upload
from server.uploads.service import UNFINISHED_PER_TEAM
from tests.sandbox.archives import LAYER, legacy, pack
from tests.server.conftest import Person
from tests.server.deciding import Desk
from tests.server.proxied import free_ports
from tests.server.registries import SECRET, Hub, empty_queue, hub, key_in, of_compose, run, skopeo
from tests.server.registries import registry as registry_at
from worker.score.images import check_waiting
from worker.score.pushes import find_pushed, take_pushed


@pytest.fixture(scope="module")
def registry(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub(settings, tmp_path_factory.mktemp("registry")) as served:
        yield served


@pytest.fixture(autouse=True)
def _an_empty_queue(sessions: SessionFactory) -> None:
    empty_queue(sessions)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(pack(legacy(LAYER)))
    return path


@pytest.fixture
def token(sessions: SessionFactory, captain: Person) -> str:
    with unit_of_work(sessions) as session:
        return issue(
            session, TokenKind.API, name="push", user_id=UUID(captain.id), scopes=("read", "submit")
        )[0]


@pytest.fixture
def theirs(stranger: Person, slug: str) -> str:
    """The id of another team of the challenge."""
    return str(stranger.http.get(f"/challenges/{slug}/teams/mine").json()["id"])


def push_of(team_id: str, number: int) -> Pushed:
    return Pushed(Repository(TeamId(UUID(team_id)), "model"), f"v{number}", f"sha256:{number:064x}")


def note_all(sessions: SessionFactory, team_id: str, numbers: range, *, found: bool = False) -> list[bool]:
    """Whether each of the pushes became an upload that is fetched."""
    with unit_of_work(sessions) as session:
        noted = [note(session, push_of(team_id, number), found=found) for number in numbers]
        return [upload is not None and upload.status is UploadStatus.RECEIVING for upload in noted]


def test_many_pushes_of_one_team_delay_anothers_by_one(
    team_id: str, theirs: str, sessions: SessionFactory
) -> None:
    note_all(sessions, team_id, range(4))
    note_all(sessions, theirs, range(2))
    order = []
    for _ in range(6):
        with unit_of_work(sessions) as session:
            upload = takes.claim(session)
            assert upload is not None
            order.append((str(upload.team_id), upload.filename))
    assert order == [
        (team_id, "model:v0"),
        (theirs, "model:v0"),
        (team_id, "model:v1"),
        (theirs, "model:v1"),
        (team_id, "model:v2"),
        (team_id, "model:v3"),
    ]
    with unit_of_work(sessions) as session:
        assert takes.claim(session) is None


def test_a_team_has_so_many_pushes_waiting_and_is_told_when_that_is_all(
    captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    most = UNFINISHED_PER_TEAM
    assert note_all(sessions, team_id, range(most)) == [True] * most
    assert note_all(sessions, team_id, range(most, 4 * most)) == [False] * 3 * most
    listed = captain.http.get(f"/teams/{team_id}/uploads").json()
    refused = [one for one in listed if one["status"] == "rejected"]
    assert len(listed) == 2 * most, "however many are pushed, a few are told of"
    assert {one["code"] for one in refused} == {"too_many_uploads"}
    assert "Push again when one of them is through." in refused[0]["message"]
    with unit_of_work(sessions) as session:
        done = Upload.team_id == UUID(team_id), Upload.filename == "model:v0"
        session.execute(update(Upload).where(*done).values(status=UploadStatus.REJECTED))
    again = range(most, most + 2)
    assert note_all(sessions, team_id, again, found=True) == [True, False], "one place, and no more words"


def test_whoever_has_too_many_waiting_is_told_so_by_the_push(
    registry: Hub, archive: Path, token: str, team_id: str, sessions: SessionFactory
) -> None:
    scope = f"repository:{team_id}/model:pull,push"
    assert registry.token(token, scope).status_code == 200
    note_all(sessions, team_id, range(UNFINISHED_PER_TEAM))
    answer = registry.token(token, scope)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_uploads")
    assert answer.json()["details"] == answer.json()["detail"], "what docker push shows"
    assert registry.token(token, f"repository:{team_id}/model:pull").status_code == 200
    pushed = registry.skopeo(archive, f"{team_id}/model:v9", token)
    assert pushed.returncode != 0


@pytest.mark.parametrize("configured", ["as documented", "by compose.yaml"])
def test_the_registry_tells_of_pushed_manifests_and_of_nothing_else(
    configured: str, settings: Settings, tmp_path: Path, archive: Path, team_id: str
) -> None:
    told: list[dict[str, Any]] = []
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    own = settings.model_copy(update={"registry_url": url, "registry_key": key_in(tmp_path)})
    token = sign(own, "somebody", [Grant("repository", f"{team_id}/model", ("pull", "push", "delete"))])

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer(json.dumps({"token": token}).encode())

        def do_POST(self) -> None:
            assert self.headers["Authorization"] == f"Bearer {SECRET}"
            told.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["events"])
            self._answer(b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name, here = (
        f"{url.removeprefix('http://')}/{team_id}/model",
        f"http://127.0.0.1:{server.server_address[1]}",
    )
    bare, env = None, {}
    if configured == "by compose.yaml":  # the image's own file says no more
        bare, env = {"version": "0.1", "storage": {"filesystem": None}}, of_compose(tmp_path, port, here)
    with registry_at(tmp_path, port, here, config=bare, env=env):
        for tag in ("v1", "v2"):  # the second one finds its layers there
            assert skopeo(archive, f"{name}:{tag}", "any").returncode == 0
            pulled = ("--src-tls-verify=false", f"docker://{name}:{tag}", f"dir:{tmp_path / tag}")
            assert run("skopeo", "--insecure-policy", "copy", *pulled).returncode == 0
        deadline = time.monotonic() + 20
        while "v2" not in {one["target"].get("tag") for one in told}:
            assert time.monotonic() < deadline, "the registry told of no push"
            time.sleep(0.05)
    server.shutdown()
    server.server_close()
    assert [(one["action"], one["target"]["tag"]) for one in told] == [("push", "v1"), ("push", "v2")]


def _wait_for(captain: Person, team_id: str, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(captain.http.get(f"/teams/{team_id}/uploads").json()) < count:
        assert time.monotonic() < deadline, "the registry told of no push"
        time.sleep(0.05)


def test_what_waits_when_its_team_is_merged_becomes_the_other_teams(
    registry: Hub,
    archive: Path,
    token: str,
    captain: Person,
    team_id: str,
    stranger: Person,
    theirs: str,
    slug: str,
    admin: Person,
    sessions: SessionFactory,
) -> None:
    assert registry.skopeo(archive, f"{team_id}/model:v1", token).returncode == 0
    _wait_for(captain, team_id, 1)
    merged = Desk(admin.http, slug).post(f"teams/{team_id}/decisions", decision="merge", into=theirs)
    assert merged.status_code == 200, merged.text
    take_pushed(sessions, registry.settings)
    check_waiting(sessions, registry.settings)
    (shown,) = stranger.http.get(f"/teams/{theirs}/uploads").json()
    assert (shown["status"], shown["message"], shown["filename"]) == ("ready", None, "model:v1")
    (image,) = stranger.http.get(f"/teams/{theirs}/images").json()
    assert image["digest"] == shown["image"]
    assert find_pushed(sessions, registry.settings) == 0
    with Remote(registry.settings) as remote:
        assert team_id not in {path.partition("/")[0] for path, _, _ in remote.tagged(most=9)}


def test_a_team_with_many_names_is_in_no_other_teams_way_when_the_registry_is_searched(
    settings: Settings,
    tmp_path: Path,
    archive: Path,
    captain: Person,
    team_id: str,
    stranger: Person,
    theirs: str,
    sessions: SessionFactory,
) -> None:
    def token_of(person: Person) -> str:
        with unit_of_work(sessions) as session:
            scopes = ("read", "submit")
            return issue(session, TokenKind.API, name="push", user_id=UUID(person.id), scopes=scopes)[0]  # type: ignore[arg-type]

    shown = {team_id: token_of(captain), theirs: token_of(stranger)}
    first, last = sorted(shown)
    names = [f"{first}/a:{tag}" for tag in "1234"] + [f"{first}/{name}:1" for name in "bcd"] + [f"{last}/z:1"]
    with hub(settings, tmp_path, tells=False) as silent:
        for name in names:
            pushed = silent.skopeo(archive, name, shown[name.partition("/")[0]])
            assert pushed.returncode == 0, pushed.stderr
        with Remote(silent.settings) as remote:

            def looked_at(most: int) -> list[str]:
                return [f"{path}:{tag}" for path, tag, digest in remote.tagged(most=most) if digest]

            assert sorted(looked_at(100)) == sorted(names)
            few, more = looked_at(3), looked_at(7)
            assert [name.partition(":")[0] for name in few] == [f"{first}/a"] * 2 + [f"{last}/z"]
            assert sorted(more) == sorted([*names[:5], f"{last}/z:1"])
