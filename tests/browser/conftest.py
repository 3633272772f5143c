"""Chromium before the server as it runs. A page that asks anybody else, or errs in the console, fails its test."""

import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from server.database import SessionFactory
from tests.browser.season import season
from tests.browser.windows import PATIENCE, ROOT, Watch
from tests.conftest import copied_database
from tests.server.conftest import (
    admin,
    captain,
    clients,
    command,
    entrant,
    first_admin,
    fomo26,
    imported,
    lab,
    nobody,
    person,
    served,
    session,
    sessions,
    settings,
    slug,
    stranger,
    team,
    team_id,
    tus,
)
from worker.embedded.postgres import Postgres

__all__ = [
    "admin",
    "captain",
    "clients",
    "command",
    "entrant",
    "first_admin",
    "fomo26",
    "imported",
    "lab",
    "nobody",
    "person",
    "season",
    "served",
    "session",
    "sessions",
    "settings",
    "slug",
    "stranger",
    "team",
    "team_id",
    "tus",
]

OpenWindow = Callable[..., Page]

_OPTIONS = (
    "--no-sandbox",  # it shows our own pages only, and root has no other way
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing leaves this machine, whatever a page tries
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    "--font-render-hinting=none",
)


@pytest.fixture(scope="session")
def postgres_url(embedded_postgres: Postgres, database_template: str) -> Iterator[str]:
    """SQLAlchemy URL of a migrated database of these tests."""
    yield from copied_database(embedded_postgres, database_template)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is; it is installed where it may be."""
    found = subprocess.run([ROOT / "scripts" / "browser"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """The one browser of a file of tests: what drives it keeps a loop in this thread, which other tests need free."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_OPTIONS, timeout=2 * PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def site(served: tuple[str, SessionFactory]) -> str:
    """The server's address."""
    return served[0]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """The windows of this test and what went wrong in them."""
    watch = Watch(tmp_path)
    yield watch
    watch.close()


@pytest.fixture
def window(browser: Browser, site: str, watch: Watch) -> OpenWindow:
    """Opens windows, each in a context of its own: `window(width=360, scheme="dark")`; see `Watch.window`."""

    def open_window(*, at: str = site, **options: Any) -> Page:
        return watch.window(browser, at, **options)

    return open_window


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fails a test whose windows met a fault; one that failed by itself tells them too, with pictures."""
    watch = pyfuncitem.funcargs.get("watch")
    if not isinstance(watch, Watch):
        return (yield)
    try:
        outcome = yield
        watch.require()
    except Exception as failed:
        failed.add_note("\n".join([*watch.faults, *map(str, watch.pictures())]))
        raise
    return outcome
