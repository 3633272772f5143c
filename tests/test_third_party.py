"""Scripts of others come by exact version and checked by digest, from a registry or a folder, or not at all."""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.third_party import FOR_TESTS, LOCK, SERVED, pinned
from server.web.scripts import FOLDER
from server.web.scripts import LOCK as SERVER_LOCK

ROOT = Path(__file__).resolve().parents[1]
WANTED = b"window.wanted = 1;\n"
NPM = shutil.which("npm")


def archive(*members: tuple[str, bytes | str]) -> bytes:
    """An archive of files; a text stands for a link to it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                made.addfile(member)
            else:
                member.size = len(content)
                made.addfile(member, io.BytesIO(content))
    return packed.getvalue()


PACKAGE = json.dumps({"name": "@group/wanted", "version": "1.2.3"}).encode()
GOOD = archive(
    ("package/package.json", PACKAGE), ("package/../../../evil.js", b"1"), ("package/dist/wanted.js", WANTED)
)


def integrity(data: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"


@dataclass
class Checkout:
    """A tree with a lock file of one script, and what the script says of it."""

    root: Path
    registry: str

    def pin(self, **changes: object) -> None:
        row = {
            "name": "@group/wanted",
            "version": "1.2.3",
            "licence": "MIT",
            "integrity": integrity(GOOD),
            "file": "package/dist/wanted.js",
            "sha256": hashlib.sha256(WANTED).hexdigest(),
            "served": "wanted-1.2.3.min.js",
            "without": "Nothing is wanted.",
        } | changes
        lines = [f"{key} = {json.dumps(value)}" for key, value in row.items()]
        (self.root / LOCK).write_text("\n".join(["[[script]]", *lines]) + "\n")

    def fetch(self, *options: object, path: str = "", registry: str = "") -> tuple[int, str]:
        """Exit code and what was said; `path` is where npm may be."""
        environment = {"PATH": path, "NPM_CONFIG_REGISTRY": registry or self.registry, "HOME": str(self.root)}
        command = [sys.executable, "scripts/third_party.py", *map(str, options)]
        outcome = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        return outcome.returncode, outcome.stderr

    def files(self) -> dict[str, bytes]:
        folder = self.root / SERVED
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


@dataclass
class Registry:
    """What a registry answers: the archive that a test puts there, and the package's description for npm."""

    content: bytes = GOOD
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> bytes | None:
        self.asked.append(path)
        address = "/@group/wanted/-/wanted-1.2.3.tgz"
        if path == address:
            return self.content
        if path.replace("%2f", "/").replace("%2F", "/") != "/@group/wanted":
            return None
        dist = {"tarball": self.url + address, "integrity": integrity(self.content)}
        versions = {"1.2.3": {"name": "@group/wanted", "version": "1.2.3", "dist": dist}}
        described = {"name": "@group/wanted", "dist-tags": {"latest": "1.2.3"}, "versions": versions}
        return json.dumps(described).encode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    state = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = state.answer(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def checkout(tmp_path: Path, registry: Registry) -> Checkout:
    (tmp_path / "scripts").mkdir()
    (tmp_path / LOCK).parent.mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "third_party.py", tmp_path / "scripts")
    made = Checkout(tmp_path, registry.url)
    made.pin()
    return made


def test_a_script_is_fetched_once_and_again_only_when_it_is_not_the_pinned_one(
    checkout: Checkout, registry: Registry
) -> None:
    assert checkout.fetch("--strict") == (0, "third-party: @group/wanted 1.2.3 (MIT)\n")
    assert checkout.files() == {"wanted-1.2.3.min.js": WANTED}
    assert checkout.fetch("--strict") == (0, "")
    assert len(registry.asked) == 1
    (checkout.root / SERVED / "wanted-1.2.3.min.js").write_bytes(b"another")
    (checkout.root / SERVED / "wanted-1.2.2.min.js").write_bytes(b"older")
    assert checkout.fetch("--strict")[0] == 0
    assert checkout.files() == {"wanted-1.2.3.min.js": WANTED}
    assert not list(checkout.root.rglob("evil.js"))


@pytest.mark.parametrize(
    ("content", "sha256", "says"),
    [
        (GOOD + b"\0", None, "its archive is sha512-"),
        (archive(("package/dist/wanted.js", b"other")), "pinned", "has the digest"),
        (archive(("package/dist/wanted.js", "/etc/passwd")), "pinned", "has no file package/dist/wanted.js"),
        (archive(("wanted.js", WANTED)), "pinned", "has no file package/dist/wanted.js"),
        (b"no archive", "pinned", "cannot be read"),
    ],
)
def test_what_is_not_the_pinned_one_is_not_taken(
    checkout: Checkout, registry: Registry, content: bytes, sha256: str | None, says: str
) -> None:
    registry.content = content
    if sha256:
        checkout.pin(integrity=integrity(content))
    code, said = checkout.fetch("--strict")
    assert code == 1
    assert says in said
    assert checkout.files() == {}


def test_without_a_network_it_says_what_then_lacks_and_goes_on_unless_it_may_not(checkout: Checkout) -> None:
    for options, code in (((), 0), (("--strict",), 1)):
        outcome, said = checkout.fetch(*options, registry="http://127.0.0.1:9")
        assert outcome == code
        assert "@group/wanted 1.2.3 is missing: http://127.0.0.1:9/@group/wanted/-/wanted-1.2.3.tgz" in said
        assert said.endswith("  Nothing is wanted.\n")
    assert checkout.fetch("--strict", registry="file:///etc")[1].startswith(
        "third-party: @group/wanted 1.2.3 is missing: NPM_CONFIG_REGISTRY is no address: file:///etc\n"
    )


def test_archives_can_be_kept_and_brought_to_where_there_is_no_network(
    checkout: Checkout, registry: Registry, tmp_path: Path
) -> None:
    brought = tmp_path / "brought"
    assert checkout.fetch("--strict") == (0, "third-party: @group/wanted 1.2.3 (MIT)\n")
    for _ in range(2):
        assert checkout.fetch("--keep", brought)[0] == 0
    assert len(registry.asked) == 2
    assert [path.name for path in brought.iterdir()] == ["group-wanted-1.2.3.tgz"]
    shutil.rmtree(checkout.root / SERVED)
    assert checkout.fetch("--strict", "--from", tmp_path / "nothing")[0] == 1
    assert checkout.fetch("--strict", "--from", brought, registry="http://127.0.0.1:9")[0] == 0
    assert checkout.files() == {"wanted-1.2.3.min.js": WANTED}


def test_what_only_tests_need_is_kept_apart_from_what_is_served(checkout: Checkout) -> None:
    checkout.pin(tests_only=True)
    assert checkout.fetch("--strict") == (0, "")
    assert checkout.fetch("--strict", "--tests")[0] == 0
    assert checkout.files() == {}
    assert (checkout.root / FOR_TESTS / "wanted-1.2.3.min.js").read_bytes() == WANTED


@pytest.mark.skipif(NPM is None, reason="there is no npm on this machine")
def test_npm_is_asked_where_it_is_and_its_archive_is_checked_too(
    checkout: Checkout, registry: Registry
) -> None:
    assert checkout.fetch("--strict", path=os.environ["PATH"])[0] == 0
    assert checkout.files() == {"wanted-1.2.3.min.js": WANTED}
    assert any(path.lower() in ("/@group/wanted", "/@group%2fwanted") for path in registry.asked), "by npm"
    shutil.rmtree(checkout.root / SERVED)
    checkout.pin(integrity=integrity(b"another"))
    code, said = checkout.fetch("--strict", path=os.environ["PATH"])
    assert (code, checkout.files()) == (1, {})
    assert "its archive is sha512-" in said


def test_every_pinned_script_is_named_in_the_notice_and_in_no_other_version() -> None:
    notice = (ROOT / "NOTICE").read_text()
    rows = tomllib.loads((ROOT / LOCK).read_text())["script"]
    assert [script.name for script in pinned(ROOT / LOCK)] == [row["name"] for row in rows]
    for script in pinned(ROOT / LOCK):
        assert f"{script.name} {script.version} ({script.licence})" in notice
        assert script.version in script.served
        assert script.served.endswith(".min.js")
        assert script.integrity.startswith("sha512-")
        assert script.without.endswith(".")
    assert (ROOT / SERVED, ROOT / LOCK) == (FOLDER, SERVER_LOCK)
