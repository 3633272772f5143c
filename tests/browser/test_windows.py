"""The watch notices: each page here has one fault, which a browser alone sees."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import OpenWindow
from tests.browser.windows import PageFault, Watch, axe, sideways

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
HEAD = '<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,">'
BODIES = {
    "good": "<p>Nothing is wrong.</p>",
    "inline": "<p style='color: red'>A style.</p>",
    "inline-script": "<script>document.title = 'ran'</script>",
    "elsewhere": "<img alt='' src='http://198.51.100.1/pixel.png'>",
    "throws": "<script src='throws.js'></script>",
    "errs": "<script src='errs.js'></script>",
    "evaluates": "<script src='evaluates.js'></script>",
    "missing": "<img alt='' src='missing.png'>",
    "fetches": "<script src='fetches.js'></script>",
    "wide": "<div><img alt='' width='2000' height='1' src='data:image/gif;base64,R0lGODlhAQABAAAAACw='></div>",
    "unnamed": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
}
SCRIPTS = {
    "throws.js": "throw new Error('thrown');",
    "errs.js": "console.warn('a warning'); console.error('an error');",
    "evaluates.js": "try { eval('1'); } catch (refused) { document.title = 'refused'; }",
    "fetches.js": "fetch('http://198.51.100.1/').catch(() => {});",
}


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    """The address of a server whose pages have faults."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            html, script = BODIES.get(name), SCRIPTS.get(name)
            self.send_response(404 if html is None and script is None else 200)
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("Content-Type", "text/javascript" if script else "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(
                (script or f"{HEAD}<main><h1>A page</h1>{html or '<p>Nothing.</p>'}</main>").encode()
            )

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Watch]:
    """A watch whose faults fail no test."""
    watch = Watch(tmp_path)
    yield watch
    watch.close()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("inline", "style-src-attr"),
        ("inline-script", "script-src-elem"),
        ("elsewhere", "http://198.51.100.1/pixel.png"),
        ("throws", "exception: "),
        ("errs", "console: an error"),
        ("evaluates", "the policy refused eval by script-src"),
        ("missing", "missing.png"),
        ("fetches", "connect-src 'self'"),
    ],
)
def test_a_fault_is_noticed_and_said(browser: Browser, faulty: str, own: Watch, name: str, says: str) -> None:
    page = own.window(browser, faulty)
    page.goto(f"/{name}")
    found = own.found()
    assert any(says in fault for fault in found), found
    with pytest.raises(PageFault):
        own.require()
    own.allow(*found)
    assert own.found() == []


def test_a_request_to_another_server_is_noticed_where_no_policy_forbids_it(
    browser: Browser, faulty: str, site: str, own: Watch
) -> None:
    page = own.window(browser, faulty)
    page.goto("/good")
    page.goto(f"{site}/nothing")
    assert any(fault.startswith(f"asked another server: GET {site}") for fault in own.found())


def test_a_page_without_a_fault_has_none_and_one_that_is_not_there_is_its_test_s_own(
    browser: Browser, faulty: str, own: Watch
) -> None:
    page = own.window(browser, faulty)
    for path, status in (("/good", 200), ("/nothing", 404)):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status
        assert (own.found(), axe(page), sideways(page)) == ([], [], 0)


def test_axe_and_the_width_find_what_is_wrong(browser: Browser, faulty: str, own: Watch) -> None:
    page = own.window(browser, faulty, width=360)
    page.goto("/unnamed")
    assert [found.split(":")[0] for found in axe(page)] == ["image-alt"]
    assert axe(page, without=("img",)) == []
    page.goto("/wide")
    assert sideways(page) > 1000
    assert own.found() == []


@pytest.mark.xfail(strict=True, raises=PageFault, reason="the page errs, and that has to fail the test")
def test_a_fault_fails_the_test_that_opened_the_window(window: OpenWindow, faulty: str) -> None:
    window(at=faulty).goto("/errs")
