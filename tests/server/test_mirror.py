"""The static mirror: complete, of nothing but what everybody may see, and carried by any web server."""

import functools
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
import pytest
from click.testing import Result

from evaluator.spec import Challenge
from server.database import SessionFactory
from tests.server.lab import Entrant, Lab
from tests.server.organizer import words
from tests.server.test_leaderboard import change, scored
from worker.admin.mirror_crawl import NoMirror, crawl
from worker.admin.mirror_files import compared, files_of
from worker.admin.mirror_links import CSS, HTML, SVG, MirroredSite, Use, links_of, rewritten

Command = Callable[..., Result]
LINKED = (HTML, CSS, SVG)
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def carried(folder: Path) -> Iterator[str]:
    """The address at which a plain web server carries `folder`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def walked(http: httpx.Client, start: str) -> tuple[set[str], set[str]]:
    """Every page and file that is linked from `start`, and every link that leads off; none may be broken."""
    waiting, seen, off = [start], {start}, set[str]()
    while waiting:
        page = waiting.pop()
        answer = http.get(page)
        assert answer.status_code == 200, page
        kind = answer.headers["content-type"].partition(";")[0]
        for link, _ in links_of(answer.text, kind) if kind in LINKED else ():
            there, fragment = urldefrag(urljoin(page, link))
            if urlsplit(there).scheme == "data":
                continue
            if urlsplit(there).netloc != urlsplit(start).netloc:
                off.add(there)
                continue
            if fragment:
                assert f'id="{fragment}"' in http.get(there).text, (page, link)
            if there not in seen:
                seen.add(there)
                waiting.append(there)
    return seen, off


@pytest.fixture
def played(lab: Lab, entrant: Callable[[str], Entrant], monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A challenge with two teams on its board; as with the server of these tests, their ends are shown at once."""
    monkeypatch.setenv("PROCTOR_HOLD_ENDS", "false")
    scored(lab, entrant("Ada"), 0.71875)
    scored(lab, entrant("Bob"), 0.5)
    return lab


@pytest.fixture
def mirrored(command: Command, played: Lab, tmp_path: Path) -> Path:
    out = tmp_path / "www" / "mirror"
    done = command("mirror", played.slug, out)
    assert done.exit_code == 0, done.output
    return out


def test_every_link_of_a_mirror_works_from_a_folder_of_any_web_server(mirrored: Path, played: Lab) -> None:
    with carried(mirrored.parent.parent) as address, httpx.Client() as http:
        seen, off = walked(http, f"{address}/www/mirror/index.html")
    assert off == set()
    assert all(page.startswith(f"{address}/www/mirror/") for page in seen), (
        "nothing is asked outside its folder"
    )
    found = {page.removeprefix(f"{address}/www/mirror/") for page in seen}
    assert {
        "index.html",
        "leaderboards/validation/index.html",
        "api/leaderboards/validation.json",
        "api/leaderboards/validation.csv",
    } <= found
    assert any(re.fullmatch(r"assets/[0-9a-f]{12}/proctor\.css", name) for name in found)


def test_it_is_browsed_as_plain_files_that_say_the_same_as_the_pages(
    mirrored: Path, played: Lab, nobody: httpx.Client
) -> None:
    pages = [path for path in mirrored.rglob("*") if path.suffix in (".html", ".css", ".svg")]
    assert len(pages) > 2
    for page in pages:
        kind = {".html": HTML, ".css": CSS, ".svg": SVG}[page.suffix]
        for link, _ in links_of(page.read_text(), kind):
            path = urldefrag(link)[0]
            if path and not link.startswith("data:"):
                assert (page.parent / path).is_file(), (page, link)
    live = nobody.get(f"/challenges/{played.slug}/leaderboards/validation").json()
    kept = json.loads((mirrored / "api/leaderboards/validation.json").read_text())
    assert kept | {"at": None} == live | {"at": None}
    assert "Ada" in (mirrored / "leaderboards/validation/index.html").read_text()


def with_board(lab: Lab, spec: Challenge, **changes: object) -> None:
    """Another board of the validation phase."""
    validation = spec.phases["validation"].model_copy(update=changes)
    change(lab, spec, phases={**spec.phases, "validation": validation})


def test_nothing_of_a_sealed_board_is_in_it(
    command: Command, played: Lab, fomo26: Challenge, mirrored: Path
) -> None:
    before = {path: path.read_bytes() for path in mirrored.rglob("*") if path.is_file()}
    assert any(b"0.719" in text for text in before.values())
    with_board(played, fomo26, board="sealed")
    assert command("mirror", played.slug, mirrored).exit_code == 0
    content = {path: path.read_bytes() for path in mirrored.rglob("*") if path.is_file()}
    assert content
    for team in (b"Ada", b"Bob", b"0.719"):
        assert [path for path, text in content.items() if team in text] == []
    assert not [path for path in content if "leaderboards" in path.parts]


def test_a_frozen_board_stays_as_everybody_sees_it(
    command: Command, played: Lab, fomo26: Challenge, mirrored: Path
) -> None:
    page = mirrored / "leaderboards/validation/index.html"
    assert "Ada" in page.read_text()
    opens = fomo26.phases["validation"].opens
    assert opens is not None
    with_board(played, fomo26, freezes=opens + timedelta(seconds=1))
    assert command("mirror", played.slug, mirrored).exit_code == 0
    assert "Frozen since" in page.read_text()
    assert "Ada" not in page.read_text()


def test_what_takes_a_server_leads_to_the_installation_or_nowhere(
    command: Command, played: Lab, mirrored: Path, tmp_path: Path
) -> None:
    assert 'href="/' not in (mirrored / "index.html").read_text()
    other = tmp_path / "other"
    assert command("mirror", played.slug, other, "--base-url", "https://fomo.example/").exit_code == 0
    page = (other / "index.html").read_text()
    assert 'class="brand" href="https://fomo.example/"' in page
    assert f'href="https://fomo.example/challenges/{played.slug}"' in page, (
        "the line that says what is mirrored"
    )
    with carried(other) as address, httpx.Client() as http:
        _, off = walked(http, f"{address}/")
    assert off
    assert all(link.startswith("https://fomo.example/") for link in off)


def test_checksums_hold_and_check_says_what_differs_since(
    command: Command, played: Lab, entrant: Callable[[str], Entrant], mirrored: Path
) -> None:
    lines = (mirrored / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {str(path.relative_to(mirrored)) for path in mirrored.rglob("*") if path.is_file()}
    assert listed.keys() == there - {"SHA256SUMS"}
    for name, digest in listed.items():
        assert hashlib.sha256((mirrored / name).read_bytes()).hexdigest() == digest
    assert all("Mirrored at 20" in page.read_text() for page in mirrored.rglob("*.html"))
    same = command("mirror", played.slug, mirrored, "--check")
    assert (same.exit_code, "as the pages are now" in words(same)) == (0, True), same.output
    scored(played, entrant("Dee"), 0.8)
    (style,) = mirrored.glob("assets/*/proctor.css")
    style.write_text("body {}")
    before = (mirrored / "index.html").read_bytes()
    differs = command("mirror", played.slug, mirrored, "--check")
    assert differs.exit_code == 1
    said = words(differs)
    assert "changed since: leaderboards/validation/index.html" in said
    assert "changed since: api/leaderboards/validation.csv" in said
    assert f"not as it was mirrored: {style.relative_to(mirrored)}" in said
    assert "changed since: index.html" in said, "it says who leads"
    assert "questions/index.html" in listed
    assert "changed since: questions/index.html" not in said
    assert (mirrored / "index.html").read_bytes() == before


def test_a_place_that_is_no_mirror_of_it_stays_as_it_is(
    command: Command, played: Lab, mirrored: Path, tmp_path: Path, slug: str
) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "thesis.txt").write_text("precious")
    refused = command("mirror", played.slug, full)
    assert (refused.exit_code, "no mirror" in words(refused)) == (1, True)
    assert [path.name for path in full.iterdir()] == ["thesis.txt"]
    index = json.loads((mirrored / "mirror.json").read_text()) | {"challenge": "another"}
    (mirrored / "mirror.json").write_text(json.dumps(index))
    refused = command("mirror", played.slug, mirrored)
    assert (refused.exit_code, "is a mirror of another" in words(refused)) == (1, True)
    assert command("mirror", played.slug, empty).exit_code == 0
    assert command("mirror", played.slug, tmp_path / "none", "--check").exit_code == 1


def test_one_that_cannot_be_made_leaves_nothing(command: Command, tmp_path: Path) -> None:
    refused = command("mirror", "no-such-challenge", tmp_path / "out")
    assert (refused.exit_code, "There is no challenge" in words(refused)) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_over_http_it_is_the_same(
    command: Command, played: Lab, served: tuple[str, SessionFactory], mirrored: Path, tmp_path: Path
) -> None:
    assert command("mirror", played.slug, tmp_path / "far", "--server", served[0]).exit_code == 0
    names = [{str(path.relative_to(one)) for path in one.rglob("*")} for one in (mirrored, tmp_path / "far")]
    assert names[0] == names[1]


# Pages that are not written yet, as others may write them.

PAGES = {
    "/challenges/c": '<a href="/challenges/c/tasks/t1">t</a><a href="https://elsewhere.example/x">e</a>'
    '<form action="/search"><label>Find <input name="q"></label></form><a href="?lang=en">l</a>'
    '<link rel="stylesheet" href="/static/a.css"><script type="module" src="/static/m.js"></script>'
    '<div data-live="/api/v1/challenges/c/live"></div><a href="/sign-in">s</a>',
    "/challenges/c/tasks/t1": '<a href="?b=2&amp;a=1#top">q</a><a href="?sort=team">s</a><img src="plot.svg" '
    'srcset="plot.svg 1x, /challenges/c/tasks/plot.svg 2x"><a href="/challenges/c/old">o</a>',
    "/challenges/c/tasks/t1?a=1&b=2": '<a href="?a=1&amp;b=2&amp;c=3">deeper</a>'
    '<a href="?a=1&amp;b=2&amp;after=x">next</a>',
    "/challenges/c/tasks/t1?a=1&after=x&b=2": "<p>the second page</p>",
    "/challenges/c/tasks/t1?a=1&b=2&c=3": "<p>never asked for</p>",
    "/challenges/c/tasks/t1?sort=team": '<form><select name="x"><option>o</select><button>Go <b>now</b></button>'
    '<table><tr><td><input type="checkbox" name="t"></td><td>by team</td></tr></table></form><p>after</p>'
    '<input name="y" form="f">',
    "/challenges/c?lang=en": "<p>in English</p>",
    "/challenges/c/tasks/plot.svg": '<svg viewBox="0 0 1 1"><linearGradient id="g"></linearGradient>'
    '<a href="/challenges/c">c</a></svg>',
    "/static/a.css": '@import "/static/b.css"; body { background: url(/static/dot.png) }',
    "/static/b.css": "p {}",
    "/static/dot.png": "png",
    "/static/m.js": 'import { x } from "./n.js"; import("/static/n.js");',
    "/static/n.js": "export const x = 1;",
    "/api/v1/challenges/c": '{"phases": [{"name": "test"}]}',
    "/api/v1/challenges/c/news": '{"items": [1], "next": "n1"}',
    "/api/v1/challenges/c/news?after=n1": '{"items": [2], "next": null}',
    "/api/v1/openapi.json": json.dumps(
        {
            "paths": {
                "/api/v1/challenges/{slug}": {
                    "get": {"responses": {"200": {"content": {"application/json": {}}}}}
                },
                "/api/v1/challenges/{slug}/news": {
                    "get": {"responses": {"200": {"content": {"application/json": {}}}}}
                },
                "/api/v1/challenges/{slug}/teams": {
                    "get": {"responses": {"200": {"content": {"application/json": {}}}}}
                },
                "/api/v1/challenges/{slug}/live": {
                    "get": {"responses": {"200": {"content": {"text/event-stream": {}}}}}
                },
            }
        }
    ),
}
KINDS = {".css": CSS, ".js": "text/javascript", ".svg": SVG, ".png": "image/png", ".json": "application/json"}
SITE = MirroredSite("c", frozenset({"http://localhost"}))


def answers(
    pages: dict[str, str], busy: list[int] | None = None
) -> Callable[[httpx.Request], httpx.Response]:
    """A server of `pages`; it is busy as many times as `busy` has numbers."""

    def answer(request: httpx.Request) -> httpx.Response:
        address = request.url.raw_path.decode()
        assert "authorization" not in request.headers
        assert not address.endswith("/live"), "a stream has no end"
        if busy:
            return httpx.Response(busy.pop(), headers={"Retry-After": "3"})
        if address == "/challenges/c/old":
            return httpx.Response(303, headers={"Location": "/challenges/c/tasks/t1"})
        if address not in pages:
            return httpx.Response(401 if "/teams" in address else 404, json={"detail": f"no {address}"})
        path = Path(address.partition("?")[0])
        kind = "application/json" if address.startswith("/api/") else KINDS.get(path.suffix, HTML)
        return httpx.Response(200, headers={"Content-Type": kind}, content=pages[address].encode())

    return answer


def made(pages: dict[str, str], busy: list[int] | None = None, base: str | None = None) -> dict[str, bytes]:
    pauses: list[float] = []
    with httpx.Client(
        base_url="http://localhost", transport=httpx.MockTransport(answers(pages, busy))
    ) as http:
        found = crawl(http, SITE, pauses.append)
    assert all(pause == 3 for pause in pauses)
    return files_of(found, SITE, base=base, at=NOW)


def test_pages_that_nobody_told_it_of_are_taken_along(tmp_path: Path) -> None:
    files = made(PAGES)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for name, content in files.items():
        kind = HTML if name.endswith(".html") else KINDS.get(Path(name).suffix, "")
        for link, use in links_of(content.decode(), kind) if kind else ():
            if not link.startswith(("https://elsewhere.example/", "data:")):
                there = (tmp_path / name).parent / urldefrag(link)[0]
                assert there.is_file(), (name, link)
                assert use is not Use.READ
    pages = b"".join(content for name, content in files.items() if name.endswith(".html"))
    for text in (b"by team", b"in English", b"the second page"):
        assert text in pages
    for left_out in (b"<form", b"<input", b"<option", b"Find", b"Go", b"now", b"never asked for"):
        assert left_out not in pages
    assert b"<table><tr><td></td><td>by team</td></tr></table><p>after</p>" in pages
    assert b"sign-in" not in pages
    assert b"deeper" in pages
    assert b"c=3" not in pages, "choices of choices have no end"
    assert json.loads(files["api/news.json"]) == {"items": [1, 2], "next": None}
    assert "api/teams.json" not in files
    assert b"linearGradient" in files["tasks/plot.svg"]


def test_a_server_that_is_busy_is_asked_again_and_one_that_fails_makes_no_mirror() -> None:
    assert made(PAGES, busy=[429, 503]).keys() == made(PAGES).keys()
    with pytest.raises(NoMirror, match="500"):
        made(PAGES, busy=[500])
    with pytest.raises(NoMirror, match="which a page needs"):
        made({address: text for address, text in PAGES.items() if address != "/static/b.css"})


def test_names_of_files_fit_everywhere_and_never_leave_the_mirror() -> None:
    names = [
        SITE.file(address, HTML)
        for address in (
            "/challenges/c/../../etc",
            "/challenges/c/%2e%2e",
            "/challenges/c/agreements/sha256:ab",
            "/challenges/c/A",
            "/challenges/c/a",
            f"/challenges/c?{'x' * 500}=1",
        )
    ]
    assert len(set(names)) == len(names)
    for name in names:
        assert all(part not in ("", ".", "..") and len(part) < 120 for part in name.split("/"))
        assert not set(name) & set(':\\*?"<>|%')


def test_a_page_without_links_is_written_as_it_stood() -> None:
    page = "<!doctype html>\n<p title='a > b'>&amp; &#8212; &nbsp;<br/><!-- c --></p><svg viewBox=\"0 0 1 1\"/>\n"
    assert rewritten(page, HTML, lambda link, use: link) == page


def test_what_is_gone_and_what_is_new_is_told(tmp_path: Path) -> None:
    files = made(PAGES)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    later = made({address: text for address, text in PAGES.items() if "sort=team" not in address})
    found = compared(tmp_path, later | {"tasks/new.json": b"{}"})
    assert (found.new, len(found.gone), found.damaged) == (["tasks/new.json"], 1, [])
    assert found.changed == ["tasks/t1/index.html"]
