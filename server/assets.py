"""Style sheets, scripts and icons of pages, from memory: their address has their digest, so that browsers keep them."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evaluator.charts import STYLES

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
    files = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.is_file()}
    files["pictures.css"] = STYLES.encode()  # as the offline report has it
    return {name: _asset(name, content) for name, content in sorted(files.items())}


def _asset(name: str, content: bytes) -> Asset:
    kind = _KINDS.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(kind, content, gzip.compress(content, compresslevel=9, mtime=0))


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
