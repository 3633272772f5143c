"""What is asked of a bucket beside its objects: whether it is there, its clock, and uploads that were broken off.

obstore has no words for these, so they are signed here (AWS Signature Version 4).
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import httpx

from server.blobs._place import BucketPlace

_EMPTY = hashlib.sha256(b"").hexdigest()
_MOST = 4 * 2**20
_MOST_PAGES = 1000


@dataclass(frozen=True)
class BucketAnswer:
    """What the store answered; `clock` is how far its clock is ahead of ours, None where it does not say."""

    status: int
    code: str
    body: bytes
    clock: timedelta | None


@dataclass(frozen=True)
class PendingUpload:
    """An upload in parts that has not ended."""

    key: str
    id: str
    since: datetime


class BucketAsker:
    """Signed requests to one bucket; httpx.HTTPError where it does not answer."""

    def __init__(self, place: BucketPlace) -> None:
        self._place = place
        limits = httpx.Limits(max_keepalive_connections=0)  # it is asked seldom, and nobody closes it
        self._http = httpx.Client(timeout=place.patience / 8, limits=limits)

    def look(self) -> BucketAnswer:
        """Asks for one key under the prefix: whether the bucket is there and lets us in."""
        return self._ask("GET", "", {"list-type": "2", "max-keys": "1", "prefix": self._place.key("")})

    def may_list(self) -> bool:
        """Whether the store lists uploads in parts for us."""
        return self._ask("GET", "", {"uploads": "", "max-uploads": "1"}).status == httpx.codes.OK

    def pending(self) -> Iterator[PendingUpload]:
        """The uploads in parts under the prefix that have not ended; none where the store does not list them."""
        marker: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            answer = self._ask("GET", "", {"uploads": "", "prefix": self._place.key("")} | marker)
            if answer.status != httpx.codes.OK:
                return
            page = _parsed(answer.body)
            yield from (one for one in _uploads(page) if one.key.startswith(self._place.key("")))
            if _text(page, "IsTruncated") != "true":
                return
            marker = {
                "key-marker": _text(page, "NextKeyMarker"),
                "upload-id-marker": _text(page, "NextUploadIdMarker"),
            }

    def abort(self, upload: PendingUpload) -> None:
        """Ends an upload and removes its parts."""
        self._ask("DELETE", upload.key, {"uploadId": upload.id})

    def _ask(self, method: str, key: str, query: dict[str, str]) -> BucketAnswer:
        url = self._place.address(key)
        asked = "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))
        headers = signature(self._place, method, url, asked, datetime.now(UTC))
        with self._http.stream(method, f"{url}?{asked}", headers=headers) as response:
            body = b""
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _MOST:
                    break
        return BucketAnswer(
            response.status_code, code_in(body.decode(errors="replace")), body, _ahead(response)
        )


def signature(place: BucketPlace, method: str, url: str, query: str, at: datetime) -> dict[str, str]:
    """The headers of a request without a body: `query` is encoded, and sorted by name."""
    parts = urlsplit(url)
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    headers = {"host": parts.netloc, "x-amz-content-sha256": _EMPTY, "x-amz-date": stamp}
    names = ";".join(headers)
    lines = [method, parts.path or "/", query, *(f"{name}:{value}" for name, value in headers.items()), ""]
    canonical = "\n".join((*lines, names, _EMPTY))
    scope = f"{day}/{place.region}/s3/aws4_request"
    told = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{place.secret_key}".encode()
    for word in (day, place.region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    signed = hmac.digest(key, told.encode(), "sha256").hex()
    who = f"Credential={place.access_key}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {who}, SignedHeaders={names}, Signature={signed}"
    return headers


def code_in(text: str) -> str:
    """The code of an error in what a store said; empty where there is none."""
    return text.partition("<Code>")[2].partition("</Code>")[0][:100]


def _ahead(response: httpx.Response) -> timedelta | None:
    try:
        return parsedate_to_datetime(response.headers["Date"]) - datetime.now(UTC)
    except (KeyError, ValueError, TypeError):
        return None


def _parsed(body: bytes) -> ElementTree.Element:
    """A store's list; one that cannot be read is empty."""
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - of a store that the admin named, and bounded
    except ElementTree.ParseError:
        return ElementTree.Element("Nothing")


def _uploads(page: ElementTree.Element) -> Iterator[PendingUpload]:
    for row in page.iterfind("{*}Upload"):
        try:
            since = datetime.fromisoformat(_text(row, "Initiated"))
        except ValueError:
            continue
        yield PendingUpload(_text(row, "Key"), _text(row, "UploadId"), since)


def _text(row: ElementTree.Element, name: str) -> str:
    return row.findtext(f"{{*}}{name}") or ""
