"""Pushing to a real registry: who may, and the image that comes of it."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from joserfc import jwt

from server.accounts.models import TokenKind
from server.accounts.tokens import issue
from server.database import SessionFactory, unit_of_work
from server.registry.signing import LASTS, Grant, _read, sign
from server.settings import Settings
from server.teams.models import Team
from tests.sandbox.archives import LAYER, legacy, pack, tar
from tests.server.conftest import Person
from tests.server.registries import SECRET, Hub, empty_queue, hub, run
from worker.admin.findings import FindingState
from worker.admin.registry_findings import push_registry
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
    """A small image, as `docker save` writes it; another one in each test."""
    layer = tar(("app/which", tmp_path.name.encode()))
    path = tmp_path / "image.tar"
    path.write_bytes(pack(legacy(LAYER, layer)))
    return path


@pytest.fixture
def token(sessions: SessionFactory, captain: Person) -> Callable[..., str]:
    """Makes an API token of the captain's."""

    def make(*scopes: str) -> str:
        with unit_of_work(sessions) as session:
            return issue(session, TokenKind.API, name="push", user_id=UUID(captain.id), scopes=scopes)[0]  # type: ignore[arg-type]

    return make


def _uploads(captain: Person, team_id: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = captain.http.get(f"/teams/{team_id}/uploads").json()
    return listed


def _arrived(
    captain: Person, team_id: str, sessions: SessionFactory, registry: Hub, count: int = 1
) -> dict[str, Any]:
    """The newest push, once the registry has told of `count` and a score worker has worked them off."""
    deadline = time.monotonic() + 20
    while len(_uploads(captain, team_id)) < count:
        assert time.monotonic() < deadline, "the registry told of no push"
        time.sleep(0.05)
    take_pushed(sessions, registry.settings)
    check_waiting(sessions, registry.settings)
    return _uploads(captain, team_id)[0]


def _skopeo(registry: Hub, archive: Path, token: str, name: str) -> None:
    pushed = registry.skopeo(archive, name, token)
    assert pushed.returncode == 0, pushed.stderr


def _podman(registry: Hub, archive: Path, token: str, name: str) -> None:
    loaded = run("podman", "load", "--input", str(archive))
    assert loaded.returncode == 0, loaded.stderr
    flags = ("--tls-verify=false", "--creds", f"Ada:{token}")
    pushed = run("podman", "push", *flags, "python:3", f"{registry.host}/{name}")
    assert pushed.returncode == 0, pushed.stderr


def _docker(registry: Hub, archive: Path, token: str, name: str) -> None:
    config, image = str(archive.parent / "docker"), f"{registry.host}/{name}"
    loaded = run("docker", "load", "--input", str(archive))
    assert loaded.returncode == 0, loaded.stderr
    steps: tuple[tuple[tuple[str, ...], str], ...] = (
        (("tag", "python:3", image), ""),
        (("login", registry.host, "-u", "Ada", "--password-stdin"), token),
        (("push", image), ""),
        (("rmi", image, "python:3"), ""),
    )
    for step, told in steps:
        done = run("docker", "--config", config, *step, told=told)
        assert done.returncode == 0, (step, done.stderr)


@pytest.mark.parametrize("push", [_skopeo, _podman, _docker])
def test_a_pushed_image_is_the_teams_as_an_uploaded_one_is(
    push: Callable[[Hub, Path, str, str], None],
    registry: Hub,
    archive: Path,
    token: Callable[..., str],
    captain: Person,
    team_id: str,
    sessions: SessionFactory,
) -> None:
    push(registry, archive, token("read", "submit"), f"{team_id}/model:v1")
    shown = _arrived(captain, team_id, sessions, registry)
    assert (shown["status"], shown["message"]) == ("ready", None)
    assert shown["filename"] == "model:v1"
    assert shown["pushed"].startswith("model@sha256:")
    images = captain.http.get(f"/teams/{team_id}/images").json()
    assert [image["digest"] for image in images] == [shown["image"]]
    # What was taken over is in the registry no more, and so is not found again.
    assert find_pushed(sessions, registry.settings) == 0


def test_a_push_of_which_nobody_told_is_found(
    settings: Settings,
    tmp_path: Path,
    archive: Path,
    token: Callable[..., str],
    captain: Person,
    team_id: str,
    sessions: SessionFactory,
) -> None:
    with hub(settings, tmp_path, tells=False) as silent:
        _skopeo(silent, archive, token("read", "submit"), f"{team_id}/model")
        assert _uploads(captain, team_id) == []
        assert find_pushed(sessions, silent.settings) == 1
        assert find_pushed(sessions, silent.settings) == 0
        assert _arrived(captain, team_id, sessions, silent)["status"] == "ready"


def test_another_teams_name_nobody_pushes_to(
    registry: Hub, archive: Path, token: Callable[..., str], stranger: Person, slug: str
) -> None:
    theirs = stranger.http.get(f"/challenges/{slug}/teams/mine").json()["id"]
    good, reads = token("read", "submit"), token("read")
    for shown, name in ((good, f"{theirs}/model"), ("prc_none", f"{theirs}/model"), (good, "library/model")):
        assert registry.skopeo(archive, name, shown).returncode != 0, name
    with httpx.Client(base_url=f"http://{registry.host}") as anybody:
        assert anybody.get("/v2/_catalog").status_code == 401
        assert anybody.post(f"/v2/{theirs}/model/blobs/uploads/").status_code == 401
        for scope in (f"repository:{theirs}/model:pull,push", "registry:catalog:*"):
            bearer = {"Authorization": f"Bearer {registry.token(reads, scope).json()['token']}"}
            assert anybody.get("/v2/_catalog", headers=bearer).status_code == 401
            assert anybody.get(f"/v2/{theirs}/model/tags/list", headers=bearer).status_code == 401


def test_what_a_token_lets_its_bearer_do(
    registry: Hub, token: Callable[..., str], captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    scope = f"repository:{team_id}/model:pull,push,delete"

    def may(shown: str) -> set[str]:
        """What the registry answers requests with the token that this one is exchanged for."""
        answer = registry.token(shown, scope)
        assert answer.status_code == 200, answer.text
        with httpx.Client(
            base_url=f"http://{registry.host}/v2/{team_id}/model",
            headers={"Authorization": f"Bearer {answer.json()['token']}"},
        ) as http:
            tried = {
                "pull": http.get("/tags/list"),
                "push": http.post("/blobs/uploads/"),
                "delete": http.delete(f"/manifests/sha256:{'0' * 64}"),
            }
        return {what for what, told in tried.items() if told.status_code != 401}

    assert may(token("read", "submit")) == {"pull", "push"}
    assert may(token("read")) == {"pull"}
    revoked = captain.http.post("/tokens", json={"name": "gone", "scopes": ["read", "submit"]}).json()
    assert may(revoked["token"]) == {"pull", "push"}
    assert captain.http.delete(f"/tokens/{revoked['id']}").status_code == 204
    told = {shown: registry.token(shown, scope) for shown in (revoked["token"], "prc_none", "")}
    assert {answer.status_code for answer in told.values()} == {401}
    assert told[revoked["token"]].json()["code"] == "token_revoked"
    with unit_of_work(sessions) as session:
        session.get_one(Team, UUID(team_id)).disqualified = "It copied."
    assert may(token("read", "submit")) == {"pull"}


def test_a_token_that_the_registry_knows_has_run_out_pushes_nothing(registry: Hub, team_id: str) -> None:
    """A long push outlasts its token; docker then asks the server for another one, which asks who it is again."""
    name = f"{team_id}/model"
    good = sign(registry.settings, "somebody", [Grant("repository", name, ("pull", "push"))])
    key, certificate = _read(registry.settings.registry_key, 0)  # type: ignore[arg-type]
    claims = json.loads(base64.urlsafe_b64decode(good.split(".")[1] + "=="))
    over = claims | {"exp": claims["exp"] - LASTS - 300, "nbf": claims["nbf"] - LASTS - 300}
    header = {"alg": "ES256", "typ": "JWT", "x5c": [certificate]}
    stale = jwt.encode(header, over, key, algorithms=["ES256"])
    with httpx.Client(base_url=f"http://{registry.host}/v2/{name}") as http:

        def begins(token: str) -> int:
            bearer = {"Authorization": f"Bearer {token}"}
            return http.post("/blobs/uploads/", headers=bearer).status_code

        assert (begins(good), begins(stale), begins(good[:-4])) == (202, 401, 401)


def test_only_the_registry_tells_of_pushes(registry: Hub, captain: Person, team_id: str) -> None:
    target = {"repository": f"{team_id}/model", "digest": f"sha256:{'0' * 64}", "tag": "v1"}
    body = {"events": [{"action": "push", "target": target, "actor": {"name": captain.id}}]}
    for shown in ("", "Basic eDp5", "Bearer wrong", f"Bearer {captain.token}"):
        headers = {"Authorization": shown}
        answer = httpx.post(f"{registry.api}/registry/events", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_the_registry")
    assert _uploads(captain, team_id) == []


def test_a_push_that_is_told_of_twice_is_taken_once_and_nobody_sends_its_bytes(
    registry: Hub, captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    target = {"repository": f"{team_id}/model", "digest": f"sha256:{'0' * 64}", "tag": "v1"}
    body = {"events": [{"action": "push", "target": target, "actor": {"name": captain.id}}] * 2}
    for _ in range(2):
        headers = {"Authorization": f"Bearer {SECRET}"}
        told = httpx.post(f"{registry.api}/registry/events", json=body, headers=headers)
        assert told.status_code == 204, told.text
    (upload,) = _uploads(captain, team_id)
    bytes_ = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent = captain.http.patch(f"/uploads/{upload['id']}", headers=bytes_, content=b"x")
    assert sent.json()["code"] == "upload_pushed"
    assert captain.http.delete(f"/uploads/{upload['id']}").json()["code"] == "upload_pushed"
    # The registry has no such manifest: that ends in a sentence and not in an image.
    shown = _arrived(captain, team_id, sessions, registry)
    assert (shown["status"], shown["code"]) == ("rejected", "registry_failed")
    assert "no longer has" in shown["message"]


def test_the_doctor_asks_the_registry_and_reads_the_key_of_its_tokens(
    registry: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGISTRY_URL", raising=False)
    assert [*push_registry()] == []
    told = {"REGISTRY_URL": f"http://{registry.host}", "PROCTOR_REGISTRY_SECRET": SECRET}
    for name, value in (told | {"PROCTOR_REGISTRY_KEY": str(registry.settings.registry_key)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert [finding.state for finding in push_registry()] == [FindingState.OK]
    monkeypatch.setenv("PROCTOR_REGISTRY_KEY", str(tmp_path / "none.key"))
    key, answers = push_registry()
    assert (key.state, answers.state) == (FindingState.FAIL, FindingState.OK)
    assert "none.key" in key.found
    monkeypatch.setenv("PROCTOR_REGISTRY_INSIDE", registry.api.removesuffix("/api/v1"))
    *_, other = push_registry()
    assert "answers 404 to whoever shows no token" in other.found
    monkeypatch.setenv("PROCTOR_REGISTRY_INSIDE", "http://127.0.0.1:9")
    *_, away = push_registry()
    assert "does not answer" in away.found
    monkeypatch.delenv("PROCTOR_REGISTRY_KEY")
    (unset,) = push_registry()
    assert "REGISTRY_URL needs PROCTOR_REGISTRY_KEY" in unset.found
