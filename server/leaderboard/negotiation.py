"""What of a made answer goes to a request: which encoding, or only that it has not changed (RFC 9110)."""

import gzip
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

Headers = tuple[tuple[bytes, bytes], ...]

_TAG = re.compile(rb'(?:W/)?("[^"]*")|(\*)')
_LEAST_PACKED = 500  # bytes; what is smaller than a packet gains nothing


@dataclass(frozen=True)
class Answer:
    """A status, headers and a body, as they go out."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Rendered:
    """A body with the headers that say what it is; each encoding has a strong entity tag of its own."""

    body: bytes
    about: Headers
    public: bool

    def answer(self, accepts: bytes | None, known: bytes | None) -> Answer:
        """What goes out to `Accept-Encoding: accepts` and `If-None-Match: known`; None where there is none."""
        packed = accepts is not None and len(self.body) >= _LEAST_PACKED and takes_gzip(accepts)
        whole, unchanged, tag = self._packed if packed else self._plain
        return unchanged if known is not None and matches(known, tag) else whole

    @cached_property
    def _plain(self) -> tuple[Answer, Answer, bytes]:
        return self._both(self.body, b'"' + self._digest + b'"', ())

    @cached_property
    def _packed(self) -> tuple[Answer, Answer, bytes]:
        body = gzip.compress(self.body, compresslevel=6, mtime=0)
        return self._both(body, b'"' + self._digest + b'-gzip"', ((b"content-encoding", b"gzip"),))

    @cached_property
    def _digest(self) -> bytes:
        return hashlib.sha256(self.body).hexdigest()[:32].encode()

    def _both(self, body: bytes, tag: bytes, encoding: Headers) -> tuple[Answer, Answer, bytes]:
        cache = b"no-cache" if self.public else b"private, no-cache"
        common = (
            (b"etag", tag),
            (b"cache-control", cache),
            (b"vary", b"Accept-Encoding, Authorization"),
        )
        length = (b"content-length", str(len(body)).encode())
        whole = Answer(200, (*self.about, length, *encoding, *common), body)
        return whole, Answer(304, common, b""), tag


def rendered(body: bytes, headers: Mapping[str, str], *, public: bool) -> Rendered:
    """A body with `headers`, but for its length, which each encoding has of its own."""
    pairs: Iterable[tuple[str, str]] = ((name.lower(), value) for name, value in headers.items())
    about = tuple(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs if name != "content-length"
    )
    return Rendered(body, about, public)


def asked_for(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes | None]:
    """The request's Accept-Encoding and If-None-Match; lines of one header together are one list."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in (b"accept-encoding", b"if-none-match"):
            found[name] = found[name] + b"," + value if name in found else value
    return found.get(b"accept-encoding"), found.get(b"if-none-match")


def matches(known: bytes, tag: bytes) -> bool:
    """Whether an If-None-Match names `tag`, weakly or not, or anything."""
    return any(star or strong == tag for strong, star in _TAG.findall(known))


@lru_cache(maxsize=256)
def takes_gzip(accepts: bytes) -> bool:
    """Whether an Accept-Encoding takes gzip, and does not like the plain form better."""
    weights: dict[bytes, float] = {}
    for coding in accepts.lower().split(b","):
        name, *parameters = (part.strip() for part in coding.split(b";"))
        weights[name] = min((_weight(part) for part in parameters if part.startswith(b"q=")), default=1.0)
    gzipped = weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0.0)))
    return gzipped > 0 and gzipped >= weights.get(b"identity", 0.0)


def _weight(parameter: bytes) -> float:
    try:
        return float(parameter.removeprefix(b"q="))
    except ValueError:
        return 0.0
