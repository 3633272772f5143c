"""Every route has a lane and a bound for its body; none gets another's because its path looks alike."""

import re
from pathlib import Path

import pytest
from fastapi.openapi.utils import get_openapi
from sqlalchemy import text
from starlette.routing import Match

from server.app import create_app
from server.database import SessionFactory
from server.front.table import IN_THREADS, LANES, NOWHERE, Rule, Table, beginning_of_route
from server.front.threads import CONNECTIONS, ENDPOINT_THREADS, STREAM_THREADS
from server.settings import Settings

KIB = 2**10
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table(settings: Settings) -> Table:
    app = create_app(settings)
    found: Table = app.state.front.table
    app.state.front.probe.close()
    return found


def test_every_route_of_the_description_has_a_rule_of_its_own(settings: Settings, table: Table) -> None:
    app = create_app(settings)
    app.state.front.probe.close()
    described = get_openapi(title="", version="", routes=app.routes)["paths"]
    listed = table.listed()
    for path, methods in described.items():
        for method in methods:
            assert (method.upper(), path) in listed, f"{method} {path}"
            filled = path.replace("{", "").replace("}", "")
            assert table.rule(method.upper(), filled) is not NOWHERE


def test_the_application_finds_every_route_by_its_path(settings: Settings, table: Table) -> None:
    app = create_app(settings)
    app.state.front.probe.close()
    for method, template in table.listed():
        path = re.sub(r"{[^}]*}", "1", template)
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        assert any(route.matches(scope)[0] is Match.FULL for route in app.routes), (method, path)
        assert table.route(method, path)[0] != "nowhere", (method, path)
        assert not any(route.matches(scope | {"path": f"/{path}"})[0] is Match.FULL for route in app.routes)


def test_a_route_that_begins_with_a_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with a parameter"):
        beginning_of_route("/api/v1/{anything}/mine")


def test_bodies_are_bounded_everywhere_but_in_streams_that_their_endpoints_bound(table: Table) -> None:
    unbounded = {route for route, rule in table.listed().items() if rule.most is None}
    assert unbounded == {
        ("PATCH", "/api/v1/uploads/{upload_id}"),
        ("PUT", "/api/v1/worker/leases/{case_run}/output"),
        ("POST", "/api/v1/organize/{slug}/datasets"),
        ("PUT", "/api/v1/organize/{slug}/datasets/{dataset_id}/labels/{case}"),
    }
    organizers = (
        *(f"/api/v1/organize/{{slug}}/{what}" for what in ("agreements", "datasets")),
        "/organize/{slug}/documents/plan",  # the page that shows what publishing an agreement would do
    )
    for (_, path), rule in table.listed().items():
        if rule.most is not None and not path.startswith(("/api/v1/admin/", "/api/v1/worker/", *organizers)):
            assert rule.most <= 64 * KIB, path
        assert rule.unknown <= 64 * KIB or path.startswith(("/api/v1/admin/challenges", *organizers)), path


@pytest.mark.parametrize(
    ("method", "path", "lane"),
    [
        ("PUT", "/api/v1/worker/slots/output", "workers"),
        ("PUT", "/api/v1/worker/leases/1/output", "outputs"),
        ("PUT", "/api/v1/admin/evaluations/1/priority", "admins"),
        ("POST", "/api/v1/uploads/1", "strangers"),
        ("PATCH", "/api/v1/uploads/1/more", "strangers"),
        ("GET", "/api/v1/organize/fomo26/datasets/1/cases/1/volumes/t1w", "bundles"),
        ("GET", "/nothing/here/output", "strangers"),
        ("PUT", "/output", "strangers"),
        ("POST", "/api/v1/sessions", "passwords"),
        ("DELETE", "/api/v1/sessions/current", "participants"),
        ("GET", "/challenges/fomo26", "boards"),
        ("GET", "/static/swagger/swagger-ui.css", "boards"),
        ("GET", "/healthz", None),
        ("GET", "/static/third_party/tus-js-client-4.3.1.min.js", None),
        ("HEAD", "/static/third_party/tus-js-client-4.3.1.min.js", None),
        ("GET", "/static/third_party/deeper/file.js", "strangers"),
    ],
)
def test_the_route_that_answers_decides(table: Table, method: str, path: str, lane: str | None) -> None:
    assert table.rule(method, path).lane == lane


def test_every_rule_names_a_lane_that_there_is(table: Table) -> None:
    names = {lane.name for lane in LANES}
    used = {rule.lane for rule in table.listed().values()} | {NOWHERE.lane, None}
    assert used - {None} == names
    assert Rule("participants").most == 64 * KIB


def test_there_is_a_thread_and_a_connection_for_every_permit(sessions: SessionFactory) -> None:
    permits = sum(lane.permits for lane in LANES if lane.name in IN_THREADS)
    assert permits <= ENDPOINT_THREADS
    assert ENDPOINT_THREADS + STREAM_THREADS <= CONNECTIONS
    # The score worker, commands and the database itself need some, too.
    with sessions() as session:
        assert int(session.scalar(text("SHOW max_connections")) or 0) >= CONNECTIONS + 35
    told = re.findall(r"the server's (\d+) connections", (ROOT / "docs/operations.md").read_text())
    # Beside those of requests one probes whether the database answers, and one hears what has changed.
    assert told == [str(CONNECTIONS + 2)]


def test_one_command_starts_the_server_everywhere() -> None:
    for file in ("docker/server.Dockerfile", "worker/admin/platform.py", "benchmarks/support/services.py"):
        text = (ROOT / file).read_text()
        assert "uvicorn" not in text, file
        assert '"server"' in text, file
