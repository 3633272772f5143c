"""Style sheets, scripts and icons of pages, from memory: their address has their digest, so that browsers keep them."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "web" / "static"
_KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A file as it goes out, plain and compressed."""

    kind: str
    plain: bytes
    packed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Every file of the pages, by name."""
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.is_file():
            content = path.read_bytes()
            kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found[path.name] = Asset(kind, content, gzip.compress(content, compresslevel=9, mtime=0))
    return found


@cache
def digest() -> str:
    """Of all files together: scripts load each other by name, from the same folder."""
    whole = hashlib.sha256()
    for name, asset in assets().items():
        whole.update(name.encode() + b"\0" + hashlib.sha256(asset.plain).digest())
    return whole.hexdigest()[:12]


def address(name: str) -> str:
    """Where browsers get a file.

    Raises:
        KeyError: there is none of this name.
    """
    assets()[name]
    return f"/assets/{digest()}/{name}"
