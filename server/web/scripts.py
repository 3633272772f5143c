"""The scripts of others that pages use, where they are there: an installation fetches them when it is set up.

`third_party.toml` beside this module pins them and `scripts.third_party` fetches them. A page asks for one by its
name, and has another way where it is absent.
"""

import base64
import gzip
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import structlog

ADDRESS = "/static/third_party/"
FOLDER = Path(__file__).parent / "third_party"
LOCK = FOLDER.with_suffix(".toml")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ThirdPartyScript:
    """A script that is there and is the pinned one, plain and packed with gzip."""

    file: str
    sha256: str
    body: bytes
    packed: bytes

    @property
    def path(self) -> str:
        """Its address; another content has another one."""
        return f"{ADDRESS}{self.file}?{self.sha256[:16]}"

    @property
    def integrity(self) -> str:
        """For the attribute `integrity` of its `script` element."""
        return f"sha256-{base64.b64encode(bytes.fromhex(self.sha256)).decode()}"

    @classmethod
    def of(cls, path: Path, sha256: str) -> "ThirdPartyScript | None":
        """The file; None where there is none, or another one, which is logged."""
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(body).hexdigest() != sha256:
            _log.warning("third_party_script_changed", file=path.name)
            return None
        return cls(path.name, sha256, body, gzip.compress(body, compresslevel=6, mtime=0))


@dataclass(frozen=True)
class Shelf:
    """Every script that pages may use, by its name; None stands for one that is absent."""

    scripts: Mapping[str, ThirdPartyScript | None]

    @classmethod
    def of(cls, lock: Path, folder: Path) -> "Shelf":
        """Those of a lock file, but for those of tests, as `folder` has them."""
        rows = tomllib.loads(lock.read_text(encoding="utf-8"))["script"]
        return cls(
            {
                row["name"]: ThirdPartyScript.of(folder / row["served"], row["sha256"])
                for row in rows
                if not row.get("tests_only", False)
            }
        )

    def file(self, name: str) -> ThirdPartyScript | None:
        """The script whose file is called `name`."""
        return next((script for script in self.scripts.values() if script and script.file == name), None)


@cache
def shelf() -> Shelf:
    """This installation's; read once, so a script that comes later is seen after a restart."""
    return Shelf.of(LOCK, FOLDER)


def third_party(name: str) -> ThirdPartyScript | None:
    """The script of the package `name`, or None where this installation lacks it.

    Raises:
        KeyError: no such package is pinned.
    """
    return shelf().scripts[name]
