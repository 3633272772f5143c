"""The scripts of others as the server hands them out: from memory, for good, and only the pinned ones."""

import base64
import gzip
import hashlib
import shutil
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.database import SessionFactory
from server.web.scripts import FOLDER, LOCK, Shelf, shelf, third_party

SERVED = [row for row in tomllib.loads(LOCK.read_text())["script"] if not row.get("tests_only")]


@pytest.fixture
def site(served: tuple[str, SessionFactory]) -> str:
    return served[0]


def get(address: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """An answer and its body as it came."""
    with httpx.stream("GET", address, headers={"Accept-Encoding": "identity"} | headers) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize("row", SERVED, ids=[row["name"] for row in SERVED])
def test_a_script_goes_out_whole_or_packed_and_can_be_kept_for_good(site: str, row: dict[str, Any]) -> None:
    script = third_party(row["name"])
    assert script is not None, "`make third-party` fetches it"
    assert script.path == f"/static/third_party/{row['served']}?{row['sha256'][:16]}"
    assert script.integrity == "sha256-" + base64.b64encode(bytes.fromhex(row["sha256"])).decode()
    plain, body = get(site + script.path)
    assert hashlib.sha256(body).hexdigest() == row["sha256"]
    assert "Content-Encoding" not in plain.headers
    packed, small = get(site + script.path, **{"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small) == body
    assert len(small) < len(body) / 2
    assert plain.headers["ETag"] != packed.headers["ETag"]
    for answer, sent in ((plain, body), (packed, small)):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Content-Length"] == str(len(sent))
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["ETag"].startswith('"')
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        asked = httpx.head(site + script.path, headers=answer.request.headers)
        assert (asked.status_code, asked.content) == (200, b"")
        assert asked.headers["ETag"] == answer.headers["ETag"]


def test_what_a_browser_has_is_not_sent_again(site: str) -> None:
    script = third_party("tus-js-client")
    assert script is not None
    _, whole = get(site + script.path)
    tag = get(site + script.path)[0].headers["ETag"]
    for known, status, length in ((tag, 304, 0), (f"W/{tag}", 304, 0), ('"other"', 200, len(whole))):
        answer, body = get(site + script.path, **{"If-None-Match": known})
        assert (answer.status_code, len(body)) == (status, length)


@pytest.mark.parametrize(
    "file", ["nothing.js", "axe-core-4.14.1.min.js", "..%2fthird_party.toml", "%2e%2e%2fapi.py", ""]
)
def test_nothing_else_is_there(site: str, file: str) -> None:
    assert httpx.get(f"{site}/static/third_party/{file}").status_code == 404


def test_an_installation_without_them_says_so_and_a_changed_one_is_not_handed_out(tmp_path: Path) -> None:
    names = {row["name"] for row in SERVED}
    assert Shelf.of(LOCK, tmp_path / "nothing").scripts == dict.fromkeys(names)
    file = next(row["served"] for row in SERVED if row["name"] == "tus-js-client")
    shutil.copy(FOLDER / file, tmp_path)
    one = Shelf.of(LOCK, tmp_path)
    assert {name for name, script in one.scripts.items() if script} == {"tus-js-client"}
    assert one.file(file) is one.scripts["tus-js-client"]
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes() + b"\n")
    changed = Shelf.of(LOCK, tmp_path)
    assert changed.scripts == dict.fromkeys(names)
    assert changed.file(file) is None


def test_a_package_that_is_not_pinned_is_a_mistake_of_the_page() -> None:
    assert set(shelf().scripts) == {row["name"] for row in SERVED}
    with pytest.raises(KeyError):
        third_party("left-pad")
