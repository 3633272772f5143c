"""The leak suite: marks are planted wherever hidden things lie, and a whole platform is searched for them.

Marks are: words in the names of cases, sites, scanners, cohorts and files, in headers of inputs and in everything a
container says and writes; labels with unmistakable digits; the installation's secrets and paths. Everybody who can
ask anything asks everything: the team that submitted, another team, and somebody without an account.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from evaluator.spec import Challenge
from tests.e2e.conftest import Join
from tests.e2e.datasets import CANARY, write_task
from tests.e2e.installation import Installation
from tests.e2e.people import Json, Person
from tests.hostile.images import SCRIPT

LABELS = ("38.73", "52.46", "66.19")
"""Ages of three of the hidden subjects; the honest image answers with the same numbers."""
SLUG = "leaks"
SHOUTS = "shouts"
_METHODS = ("get", "post", "put", "patch", "delete", "head")
_BODIES: tuple[dict[str, Any], ...] = (
    {"json": {}},
    {"content": b"{\xff", "headers": {"Content-Type": "application/json"}},
    {"content": b"x" * (2 << 20), "headers": {"Content-Type": "application/json"}},
)


@dataclass(frozen=True)
class Scene:
    """What was submitted on hidden cases of the challenge: by whom, and what else there is in it."""

    owner: Person
    other: Person
    scored: Json
    rejected: Json
    image: str


@pytest.fixture(scope="session")
def scene(
    platform: Installation,
    fomo26: Challenge,
    place: Path,
    join: Join,
    honest: Path,
    image: Callable[..., Path],
) -> Scene:
    """An evaluation of all right answers and one of a container that shouts, both ended."""
    changes = {"challenge": SLUG, "title": "Leaks", "tracks": ("open", SHOUTS)}
    spec = fomo26.model_copy(update=changes)
    platform.apply(spec)
    platform.import_task(SLUG, "validation", "task3", write_task(spec, "task3", place / "leaks"))
    owner, other = join("Leaking", SLUG), join("Listening", SLUG)
    uploads = [owner.checked(owner.send(archive)) for archive in (honest, image(SCRIPT))]
    images = [one["image"] for one in uploads]
    sent = [
        owner.submitted({"task3": images[0]}),
        owner.submitted({"task3": images[1]}, track=SHOUTS),
    ]
    scored, rejected = owner.wait_all(sent)
    assert scored["evaluations"][0]["status"] == "scored", scored
    assert rejected["evaluations"][0]["failure"] == "exit_code", rejected
    return Scene(owner, other, scored, rejected, images[0])


@pytest.fixture(scope="session")
def marks(platform: Installation) -> "re.Pattern[str]":
    """Whatever must not be seen, as one pattern."""
    words = [CANARY, str(platform.data), *_secrets(platform)]
    numbers = [rf"(?<![\d.]){re.escape(label)}(?!\d)" for label in LABELS]
    return re.compile("|".join([*map(re.escape, words), *numbers]), re.IGNORECASE)


def _secrets(platform: Installation) -> Iterator[str]:
    for file in (platform.data / "secrets").iterdir():
        for line in file.read_text(errors="replace").split():
            if len(line) >= 16:
                yield line


@pytest.fixture(scope="session", params=["owner", "other", "nobody"])
def visitor(request: pytest.FixtureRequest, scene: Scene, platform: Installation) -> Iterator[httpx.Client]:
    """Everybody who may ask: the team itself, another one, and somebody without an account."""
    if request.param == "nobody":
        with httpx.Client(base_url=f"{platform.url}/api/v1", timeout=60) as client:
            yield client
    else:
        yield getattr(scene, request.param).http


def ids(scene: Scene) -> list[dict[str, str]]:
    """Values for the routes' parameters: the team's own on both evaluations, and some that nobody has."""
    found = []
    for submission in (scene.scored, scene.rejected):
        evaluation = submission["evaluations"][0]["id"]
        known = {"submission_id": submission["id"], "team_id": scene.owner.team, "digest": scene.image}
        found.append(known | dict.fromkeys(("evaluation_id", "case_run", "upload_id"), evaluation))
    nowhere = str(uuid.uuid4())
    names = ("submission_id", "team_id", "evaluation_id", "case_run", "upload_id", "token_id", "user_id")
    return [*found, dict.fromkeys(names, nowhere), dict.fromkeys(names, "canar%79")]


def routes(platform: Installation) -> list[tuple[str, str]]:
    """Method and path of every operation of the API."""
    paths: dict[str, Any] = httpx.get(f"{platform.url}/api/v1/openapi.json", timeout=60).json()["paths"]
    found = [(method, path) for path, methods in paths.items() for method in methods if method in _METHODS]
    assert len(found) > 40
    return found


def filled(path: str, values: dict[str, str]) -> str:
    usual = {"slug": SLUG, "phase": "validation", "key": "t1w", "name": "run-1", "code": "none"}
    return re.sub(r"{(\w+)}", lambda name: (usual | values).get(name[1], "x"), path)


def said(answer: httpx.Response) -> str:
    """Everything of an answer that its reader gets: the status line, the headers, and the body."""
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return f"{answer.status_code} {answer.reason_phrase}\n{headers}\n{answer.text}"


def test_no_answer_to_a_reader_holds_a_mark(
    visitor: httpx.Client, scene: Scene, platform: Installation, marks: "re.Pattern[str]"
) -> None:
    statuses = []
    for method, path in routes(platform):
        for values in ids(scene) if method in ("get", "head") else []:
            url = platform.url + filled(path, values)
            answer = visitor.request(method, url)
            statuses.append(answer.status_code)
            assert answer.status_code < 500, url
            assert marks.search(said(answer).replace(url, "")) is None, url
    assert 200 in statuses
    assert {401, 404} & set(statuses)


def test_no_refusal_holds_a_mark(
    visitor: httpx.Client, scene: Scene, platform: Installation, marks: "re.Pattern[str]"
) -> None:
    statuses = set()
    for method, path in routes(platform):
        if method in ("get", "head") or (method == "delete" and "{" not in path):
            continue  # logging out would end this test
        for values in ids(scene):
            if method == "delete" and values["team_id"] == scene.owner.team:
                continue
            for body in _BODIES[: 3 if values["team_id"] == scene.owner.team else 1]:
                url = platform.url + filled(path, values)
                answer = visitor.request(method, url, **body)
                statuses.add(answer.status_code)
                assert answer.status_code < 500, url
                assert marks.search(said(answer).replace(url, "")) is None, url
    assert statuses >= {401} or statuses >= {403, 404, 422}, statuses


def test_no_page_holds_a_mark(
    visitor: httpx.Client, scene: Scene, platform: Installation, marks: "re.Pattern[str]"
) -> None:
    """Every page that a link leads to, and what is asked for beside them."""
    # The pages of the other challenges of this installation are open to all as well.
    waiting, seen = (
        ["/", f"/challenges/{SLUG}", "/metrics", "/healthz", "/docs", "/nowhere", "/static/x"],
        set[str](),
    )
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 150:
            continue
        seen.add(path)
        answer = visitor.get(platform.url + path)
        assert answer.status_code < 500, path
        assert marks.search(said(answer)) is None, path
        if "html" in answer.headers.get("content-type", ""):
            links = re.findall(r'(?:href|src|action)="([^"#]+)"', answer.text)
            waiting += [
                urlsplit(one).path for one in (urljoin(path, link) for link in links) if one.startswith("/")
            ]
    assert len(seen) > 8
    assert any(f"/challenges/{SLUG}/leaderboards/validation" in path for path in seen)


def test_exports_and_odd_methods_hold_no_mark(
    visitor: httpx.Client, scene: Scene, platform: Installation, marks: "re.Pattern[str]"
) -> None:
    board = f"{platform.url}/api/v1/challenges/{SLUG}/leaderboards/validation"
    for method, url in (
        ("GET", f"{board}.csv"),
        ("GET", f"{board}?track=canar%79&decimals=99"),
        ("DELETE", board),
        ("TRACE", board),
        ("OPTIONS", board),
        ("GET", f"{platform.url}/api/v1/../../../etc/passwd"),
        ("GET", f"{platform.url}/static/..%2f..%2f..%2fetc%2fpasswd"),
        ("GET", f"{platform.url}/api/v1/evaluations/%00"),
        ("GET", f"{platform.url}/api/v1/challenges/{'x' * 5000}"),
    ):
        answer = visitor.request(method, url)
        assert answer.status_code < 500, url
        assert marks.search(said(answer)) is None, url


def test_a_worker_that_is_none_hears_nothing(
    visitor: httpx.Client, scene: Scene, platform: Installation, marks: "re.Pattern[str]"
) -> None:
    """The lease API, which hands out hidden inputs, answers nobody without a worker's token."""
    found = [(method, path) for method, path in routes(platform) if "/worker/" in path]
    evaluation = scene.scored["evaluations"][0]["id"]
    found += [("post", "/api/v1/worker/leases"), ("get", f"/api/v1/worker/leases/{evaluation}/inputs/t1w")]
    for method, path in found:
        body = {"json": {}} if method in ("post", "put") else {}
        answer = visitor.request(method, platform.url + filled(path, ids(scene)[0]), **body)
        assert answer.status_code in (401, 403), (method, path, answer.status_code)
        assert marks.search(answer.text) is None


def test_no_log_of_any_process_holds_a_mark(
    scene: Scene, platform: Installation, place: Path, marks: "re.Pattern[str]"
) -> None:
    """Paths may stand in logs, for admins read them; names of cases, labels, secrets and containers' words may not."""
    logged = platform.logs() + (place / "up.log").read_text(errors="replace")
    assert "case_done" in logged
    logged = logged.replace(str(platform.data), "")
    found = marks.search(logged)
    assert found is None, logged[max(0, found.start() - 300) : found.end() + 100]


def test_only_admins_read_what_a_container_said_and_nobody_reads_a_name(scene: Scene, admin: Person) -> None:
    """The marks do arrive where they may: else this suite would find nothing because nothing was there."""
    address = f"/admin/evaluations/{scene.rejected['evaluations'][0]['id']}/cases"
    cases = [admin.get(f"{address}/{case['id']}") for case in admin.get(address)]
    told = " ".join(str(case["log"]) for case in cases)
    for word in ("canarystdout", "canarystderr", "canaryexception"):
        assert word in told
    assert f"sub-{CANARY}" not in str(cases)
