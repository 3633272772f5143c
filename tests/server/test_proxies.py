"""The server behind the proxies of docs/examples/tls: what goes through them, what they say, and whom they believe."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from server.app import create_app
from server.database import SessionFactory
from server.settings import Settings
from server.uploads.receive import BUFFER
from tests.sandbox.archives import legacy, pack, tar
from tests.server.conftest import Person, Tus, serving
from tests.server.lab import Entrant, Lab
from tests.server.proxied import EXAMPLES, PROXIES, Front, free_ports
from tests.server.registries import key_in, registry, run
from tests.server.test_forms import sign_in
from tests.server.test_live import begin, end, stream
from tests.server.test_token_uses import seen
from worker.score.pushes import find_pushed, take_pushed

MIB = 2**20
FORGED = "203.0.113.9"


@pytest.fixture(scope="module", params=PROXIES)
def front(
    request: pytest.FixtureRequest, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """A proxy before a server of its own, whose address for people is the proxy's."""
    folder = tmp_path_factory.mktemp(request.param)
    front = Front.of(folder, request.param)
    with (
        serving(create_app(settings.model_copy(update={"public_url": front.url}))) as server,
        front.running(server.removeprefix("http://")),
    ):
        yield front


@pytest.fixture(scope="module", params=PROXIES)
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A proxy whose server is down."""
    (port,) = free_ports(1)
    with Front.of(tmp_path_factory.mktemp("alone"), request.param).running(f"127.0.0.1:{port}") as front:
        yield front


def through(front: Front, token: str, **more: str) -> httpx.Client:
    return front.client(path="/api/v1", Authorization=f"Bearer {token}", **more)


def written(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def require_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert set(answer.json()) >= {"type", "title", "detail", "code"}


def test_people_sign_in_over_https_with_cookies_of_this_host_alone(
    front: Front, person: Callable[..., Person]
) -> None:
    with front.client(Accept="text/html", Origin=front.url) as browser:
        answer = sign_in(browser, person().email, then="/account")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
        cookies = answer.headers.get_list("Set-Cookie")
        assert any(one.startswith("__Host-proctor_session=") for one in cookies)
        assert all("Secure" in one and one.startswith("__Host-") for one in cookies)
        page = browser.get("/account")
        assert page.status_code == 200
        assert "Sign out" in page.text
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        for named in ("Content-Security-Policy", "X-Request-ID"):
            assert len(page.headers.get_list(named)) == 1
        foreign = browser.post(
            "/api/v1/sessions", data={"_csrf": "x"}, headers={"Origin": "https://evil.example"}
        )
        assert foreign.status_code == 403


def test_plain_http_leads_to_https(front: Front) -> None:
    answer = httpx.get(f"http://127.0.0.1:{front.http}/sign-in?then=/account")
    assert answer.status_code == 308
    # Caddy holds its port to be 443 seen from outside, whatever it listens on.
    addresses = (front.url, "https://127.0.0.1")
    assert answer.headers["Location"] in [f"{address}/sign-in?then=/account" for address in addresses]


def test_an_upload_reaches_the_disk_while_it_is_sent(
    front: Front, captain: Person, slug: str, settings: Settings
) -> None:
    """Neither proxy keeps a body back, or bounds it: a cut connection costs nothing of what was sent."""
    data = os.urandom(12 * MIB)
    with through(front, captain.token) as http:
        tus = Tus(http)
        location = tus.begin(slug, data)
        assert location.startswith(f"{front.url}/api/v1/uploads/")
        file = settings.data / "uploads" / location.rpartition("/")[2]

        def pieces() -> Iterator[bytes]:
            yield data[: BUFFER + MIB]
            ends = time.monotonic() + 20
            while written(file) < BUFFER and time.monotonic() < ends:
                time.sleep(0.01)
            assert written(file) >= BUFFER, "the proxy keeps the body back"
            yield data[BUFFER + MIB : 8 * MIB]

        assert tus.patch(location, 0, pieces()).status_code == 204
        assert tus.offset(location) == 8 * MIB
        assert tus.patch(location, 8 * MIB, data[8 * MIB :]).status_code == 204
        assert tus.offset(location) == written(file) == len(data)
        assert hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(data).digest()


def test_a_refusal_in_the_midst_of_a_body_is_the_servers(front: Front, captain: Person, slug: str) -> None:
    data = bytes(8 * MIB)
    with through(front, captain.token) as http:
        tus = Tus(http)
        require_problem(tus.create(slug, data, length=2**50), 413)
        location = tus.begin(slug, data)
        require_problem(tus.patch(location, 5, data), 409)
        require_problem(http.post(f"/challenges/{slug}/teams", json={"name": "x" * 2 * MIB}), 413)
        require_problem(http.get("/me", headers={"Authorization": "Bearer none"}), 401)


def test_an_event_stream_arrives_event_by_event(front: Front, lab: Lab, team: Entrant) -> None:
    lab.dataset("task5", cases=2, phase="sanity")
    submission = str(team.post("task5", phase="sanity").json()["id"])
    token = team.http.headers["Authorization"].removeprefix("Bearer ")
    with through(front, token) as http, stream(http, submission) as events:
        first = events.next()
        assert first is not None
        assert first["event"] == "state"
        begin(lab, submission)
        assert events.reach("running")
        end(lab, submission)
        last = events.next()
        assert last is not None
        assert json.loads(last["data"])["evaluations"][0]["status"] == "scored"


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-For", FORGED)],
        [("X-Forwarded-For", f"{FORGED}, 127.0.0.1"), ("X-Forwarded-For", FORGED)],
        [("X-Real-IP", FORGED), ("Forwarded", f"for={FORGED}"), ("X-Forwarded-Proto", "http")],
        [],
    ],
    ids=["one", "two", "others", "none"],
)
def test_nobody_chooses_where_they_come_from(
    front: Front, person: Callable[..., Person], headers: list[tuple[str, str]]
) -> None:
    """Whoever asks is at 127.9.8.7, the proxy at 127.0.0.1, which the server believes."""
    ada = person()
    made = ada.http.post("/tokens", json={"name": "script"}).json()
    with front.client(source="127.9.8.7", path="/api/v1") as http:
        sent = [("Authorization", f"Bearer {made['token']}"), *headers]
        assert http.get("/me", headers=httpx.Headers(sent)).status_code == 200
    assert seen(ada.http, "/tokens", made["id"])["network"] == "127.9.8.0/24"


def test_a_header_from_elsewhere_is_not_believed(
    served: tuple[str, object], person: Callable[..., Person]
) -> None:
    """Without the proxy: from an address that FORWARDED_ALLOW_IPS does not name, it says nothing."""
    ada = person()
    made = ada.http.post("/tokens", json={"name": "script"}).json()
    wire = httpx.HTTPTransport(local_address="127.9.8.7")
    with httpx.Client(base_url=f"{served[0]}/api/v1", transport=wire) as http:
        sent = {"Authorization": f"Bearer {made['token']}", "X-Forwarded-For": FORGED}
        assert http.get("/me", headers=sent).status_code == 200
    assert seen(ada.http, "/tokens", made["id"])["network"] == "127.9.8.0/24"


@pytest.mark.parametrize("proxy", PROXIES)
def test_images_are_pushed_through_it_to_a_registry_beside_the_server(
    proxy: str, settings: Settings, tmp_path: Path, captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    """One host for both: what begins with /v2/ is the registry's."""
    front, (port,) = Front.of(tmp_path, proxy), free_ports(1)
    told = {"public_url": front.url, "registry_url": front.url, "registry_inside": f"http://127.0.0.1:{port}"}
    told |= {"registry_key": key_in(tmp_path)}
    own = settings.model_copy(update=told)
    archive = tmp_path / "image.tar"
    archive.write_bytes(pack(legacy(tar(("app/weights", os.urandom(9 * MIB))))))
    token = captain.http.post("/tokens", json={"name": "push", "scopes": ["read", "submit"]}).json()["token"]
    with (
        serving(create_app(own)) as server,
        registry(tmp_path, port, front.url, tells=False),
        front.running(server.removeprefix("http://"), f"127.0.0.1:{port}"),
    ):
        trusted = ("env", f"SSL_CERT_FILE={tmp_path / 'front.pem'}", "skopeo", "--insecure-policy", "copy")
        name = f"docker://{front.url.removeprefix('https://')}/{team_id}/model:v1"
        pushed = run(*trusted, "--dest-creds", f"Ada:{token}", f"docker-archive:{archive}", name)
        assert pushed.returncode == 0, pushed.stderr
        assert find_pushed(sessions, own) == 1
        take_pushed(sessions, own)
        (shown,) = captain.http.get(f"/teams/{team_id}/uploads").json()
        assert (shown["status"], shown["message"]) == ("checking", None)
        with front.client() as http:
            assert http.get("/api/v1/challenges").status_code == 200


def test_a_layer_that_no_image_may_have_is_refused_in_the_words_of_registries(tmp_path: Path) -> None:
    front, (port,) = Front.of(tmp_path, "nginx"), free_ports(1)
    with front.running("127.0.0.1:9", f"127.0.0.1:{port}"), front.client() as http:
        huge = f"PATCH /v2/team/model/blobs/uploads/1 HTTP/1.1\r\nHost: x\r\nContent-Length: {48 * 2**30 + 1}\r\n\r\n"
        wire = socket.create_connection(("127.0.0.1", front.https), 10)
        with front.trust.wrap_socket(wire, server_hostname="127.0.0.1") as encrypted:
            encrypted.sendall(huge.encode())
            heard = encrypted.recv(65536)
            assert heard.startswith(b"HTTP/1.1 413")
            assert b'"code": "SIZE_INVALID"' in heard
        away = http.get("/v2/")
        assert (away.status_code, away.json()["errors"][0]["code"]) == (503, "UNAVAILABLE")
    limit = Settings.model_fields["upload_limit"].default
    assert f"client_max_body_size {limit // 2**30}g;" in (EXAMPLES / "registry.conf").read_text()
    assert f"max_size {limit}\n" in (EXAMPLES / "Caddyfile").read_text()


def test_a_server_that_is_down_is_said_as_the_server_would(alone: Front) -> None:
    with alone.client() as http:
        for method, path in (("GET", "/api/v1/challenges"), ("PATCH", f"/api/v1/uploads/{uuid4()}")):
            answer = http.request(method, path, content=b"x" * (method == "PATCH"))
            require_problem(answer, 503)
            assert (answer.headers["Retry-After"], answer.json()["code"]) == ("5", "busy")
        page = http.get("/challenges/fomo26")
        assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
        assert page.headers["Content-Type"].startswith("text/plain")
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "cannot be reached at the moment" in page.text


def test_what_no_server_could_read_is_refused_in_its_words(front: Front) -> None:
    with front.client() as http:
        answer = http.get("/api/v1/challenges", headers={"X-Long": "x" * 70 * 1024})
        assert answer.status_code in (400, 431)
        require_problem(answer, answer.status_code)


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1", b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1", b"GET /\x00 HTTP/1.1"]
)
def test_a_request_that_is_none_is_answered_with_no_page(front: Front, head: bytes) -> None:
    """nginx says what the server would; Caddy, in Go, a line of text."""
    wire = socket.create_connection(("127.0.0.1", front.https), 10)
    with front.trust.wrap_socket(wire, server_hostname="127.0.0.1") as encrypted:
        encrypted.sendall(head + b"\r\n\r\n")
        heard = encrypted.recv(65536)
    assert heard.startswith(b"HTTP/1.1 40")
    assert b"<html" not in heard
    assert b"Content-Type: application/problem+json" in heard or front.proxy == "caddy"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to speak HTTP/2 with")
def test_http_2_carries_large_bodies_too(front: Front, captain: Person, slug: str, tmp_path: Path) -> None:
    data = os.urandom(3 * MIB)
    (tmp_path / "body").write_bytes(data)
    location = f"{front.url}/api/v1/uploads/{Tus(captain.http).begin(slug, data).rpartition('/')[2]}"
    headers = {
        "Authorization": f"Bearer {captain.token}",
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    command = ["curl", "--silent", "--http2", "--cacert", front.folder / "front.pem", "--request", "PATCH"]
    command += ["--data-binary", f"@{tmp_path / 'body'}", "--write-out", "%{http_version} %{http_code}"]
    command += [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    said = subprocess.run([*command, location], capture_output=True, text=True, check=True).stdout
    assert said == "2 204"
