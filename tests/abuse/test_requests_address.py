"""A Host header that lies, and browsers that are to be led elsewhere: what a request calls the server is not repeated.

The challenge page told people to type `proctor register http://evil.example`, and redirects led there. Headers that
keep a browser from being used against people stood on some pages, and on the documentation's none.
"""

import asyncio
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from server.app import create_app
from server.database import SessionFactory
from server.settings import Settings, checked_url
from tests.server.conftest import Person, Tus
from worker.admin import up
from worker.admin.doctor import public_address
from worker.admin.findings import FindingState
from worker.admin.platform import Platform, server_environment
from worker.embedded.account import SetupError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EVIL = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}


@pytest.fixture
def site(served: tuple[str, SessionFactory]) -> str:
    return served[0]


def _page(settings: Settings, path: str) -> str:
    """A page of an application of its own, as a request sees it that calls the server something else."""
    return _answer(settings, path).text


def _broken() -> None:
    raise RuntimeError("something is broken")


def _answer(settings: Settings, path: str) -> httpx.Response:
    app = create_app(settings)
    app.add_api_route("/api/broken", _broken)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://evil.example") as http:
            return await http.get(path, headers=EVIL)

    try:
        return asyncio.run(get())
    finally:
        app.state.sessions.kw["bind"].dispose()


def test_no_answer_repeats_the_host_that_a_request_names(
    site: str, slug: str, tus: Tus, team_id: str
) -> None:
    paths = [
        "/", "/docs", "/nothing", "/static/swagger", "/assets/0/proctor.css/", "/docs/", f"/challenges/{slug}",
        f"/challenges/{slug}/", f"/challenges/{slug}/leaderboards/validation/", "/api/v1/me/", "/api/v1/challenges/",
        f"/api/v1/teams/{team_id}/", "/api/v1/openapi.json", "//evil.example/", "//evil.example/challenges/",
    ]  # fmt: skip
    for path in paths:
        for accept in ("text/html", "*/*"):
            answer = httpx.get(site + path, headers={**EVIL, "Accept": accept}, timeout=60)
            said = f"{path} -> {answer.status_code} {dict(answer.headers)}"
            assert "//evil" not in answer.headers.get("location", ""), said
            assert "://" not in answer.headers.get("location", ""), said
            assert "evil.example" not in answer.text.replace(path, ""), said


def test_a_slash_too_many_leads_to_the_page_by_its_path(site: str, slug: str) -> None:
    answer = httpx.get(f"{site}/challenges/{slug}/?a=b", headers=EVIL)
    assert (answer.status_code, answer.headers["Location"]) == (307, f"/challenges/{slug}?a=b")
    assert httpx.get(f"{site}/challenges/{slug}/", follow_redirects=True).status_code == 200


def test_an_upload_s_address_is_a_path(tus: Tus, slug: str) -> None:
    tus.http.headers.update({"X-Forwarded-Host": "evil.example"})
    assert tus.create(slug, b"0123456789").headers["Location"].startswith("/api/v1/uploads/")


def test_the_page_of_a_challenge_names_the_address_that_was_configured(settings: Settings, slug: str) -> None:
    shown = _page(
        settings.model_copy(update={"public_url": "https://challenge.example"}), f"/challenges/{slug}"
    )
    assert "proctor register https://challenge.example</code>" in shown
    assert "evil" not in shown


def test_without_one_it_says_how_to_find_it_out(settings: Settings, slug: str) -> None:
    shown = _page(settings, f"/challenges/{slug}")
    assert "proctor register ADDRESS</code>" in shown
    assert "ADDRESS is where this page is" in shown


@pytest.mark.parametrize("good", ["https://challenge.example", "http://10.0.0.1:8426", "https://[::1]:1"])
def test_addresses_that_people_can_type(good: str) -> None:
    assert checked_url(good) == checked_url(f"{good}/") == good


@pytest.mark.parametrize(
    "bad",
    [
        "challenge.example", "ftp://x.example", "https://", "https://x.example/path", "https://x.example?a",
        "https://u:p@x.example", "https://x.example#a", "https://x.example:99999", "https://x .example",
        "https://x.example\n", "javascript:alert(1)", "https://x\u202e.example", "https://[::1",
    ],
)  # fmt: skip
def test_what_is_no_such_address_is_refused(bad: str, settings: Settings) -> None:
    with pytest.raises(ValueError, match="address"):
        checked_url(bad)
    required = {"data": settings.data, "secret_key": "k" * 40, "DATABASE_URL": settings.database_url}
    with pytest.raises(ValidationError, match="public_url"):
        Settings.model_validate({**required, "public_url": bad})
    with pytest.raises(SetupError, match="--public-url"):
        up.public_address(bad)
    assert public_address(bad, 8426).state is FindingState.FAIL


def test_up_names_its_own_address_where_there_is_one_and_doctor_says_when_none_is_set(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    here = Platform.on(tmp_path, host="127.0.0.1")
    assert server_environment(here)["PROCTOR_PUBLIC_URL"] == here.server_url
    assert Platform.on(tmp_path, host="0.0.0.0").public_url is None
    assert (
        Platform.on(tmp_path, host="0.0.0.0", public_url="https://c.example").public_url
        == "https://c.example"
    )
    assert public_address("", 8426).state is FindingState.WARN
    assert public_address("https://c.example", 8426).state is FindingState.OK


def test_every_answer_keeps_browsers_from_being_used_against_people(
    site: str, slug: str, nobody: httpx.Client, captain: Person
) -> None:
    paths = (
        "/",
        "/docs",
        f"/challenges/{slug}",
        "/assets/000000000000/proctor.css",
        "/static/docs.js",
        "/nothing",
        "/healthz",
    )
    swagger = ("/static/swagger/swagger-ui-bundle.js", "/static/swagger/nothing")
    for path in (
        *paths,
        *swagger,
        "/api/v1/challenges",
        "/api/v1/me",
        "/api/v1/openapi.json",
        "/api/nothing",
    ):
        for accept in ("text/html", "*/*"):
            headers = httpx.get(site + path, headers={"Accept": accept}, timeout=60).headers
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["X-Frame-Options"] == "DENY", path
            assert headers["Referrer-Policy"] == "same-origin", path
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy, path
            assert "frame-ancestors 'none'" in policy, path
            assert "unsafe" not in policy, path
    refused = nobody.post("/sessions", content=b"x" * (9 * 2**20))
    assert refused.status_code == 413
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/me", "/tokens", f"/challenges/{slug}/quota"):
        assert captain.http.get(path).headers["Cache-Control"] == "no-store"
    assert nobody.get("/me").headers["Cache-Control"] == "no-store"


def test_an_error_of_ours_has_these_headers_too(settings: Settings) -> None:
    answer = _answer(settings, "/api/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser on this machine")
def test_a_browser_runs_the_documentation_under_its_policy(site: str, tmp_path: Path) -> None:
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command = [
        str(CHROMIUM),
        *options,
        "--virtual-time-budget=8000",
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
    ]
    shown = subprocess.run(
        [*command, f"{site}/docs"], capture_output=True, text=True, timeout=120, check=True
    )
    assert "opblock" in shown.stdout
    refused = [line for line in shown.stderr.splitlines() if "Content Security Policy" in line]
    assert not refused, "\n".join(refused)
