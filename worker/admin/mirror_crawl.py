"""Going through the public pages of a challenge as a visitor does who has no account."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import httpx

from contract.problems import ErrorCode
from worker.admin.mirror_links import API, CSS, HTML, SCRIPTS, SVG, MirroredSite, Use, links_of

MOST_FILES = 20_000
_LINKED = (HTML, SVG, CSS, *SCRIPTS)
_OPERATIONS = f"{API}/challenges/{{slug}}"
_DATA = ("application/json", "text/csv")
_PAGING = frozenset({"after", "before", "cursor", "offset", "page"})
_TRIES = 8
_LONGEST_PAUSE = 60.0  # seconds
_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_CLOSED = range(400, 500)


class NoMirror(Exception):
    """Why no mirror was made."""


@dataclass(frozen=True)
class Fetched:
    """What stands at an address: its media type and its bytes."""

    kind: str
    body: bytes


@dataclass
class PublicPages:
    """What was found. same: addresses that lead on to another one, by address."""

    fetched: dict[str, Fetched] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)


def crawl(http: httpx.Client, site: MirroredSite, sleep: Callable[[float], None] = time.sleep) -> PublicPages:
    """Everything public of a challenge: its page, what links from there lead to, and what the API tells of it.

    What visitors without an account are refused is left out; so are choices (sorted by this, filtered by that) that
    only a page with choices of its own leads to.

    Raises:
        NoMirror: the challenge's page is not there, a style sheet or script is missing, the server fails, or there is
            too much of it.
    """
    asking, found = _Asking(http, sleep), PublicPages()
    phases = _phases(asking, site)
    waiting = deque([site.first])
    data = set(_operations(asking, site, phases))
    waiting.extend(sorted(data))
    seen, loaded = set(waiting), set[str]()
    while waiting:
        address = waiting.popleft()
        answer = asking.get(address)
        if answer.is_redirect:
            target = site.address(answer.headers["location"], address)
            if target is None or not site.holds(target):
                continue
            found.same[address] = target
            new = [(target, Use.FOLLOWED)]
        elif answer.status_code in _CLOSED:
            _require_not_needed(site, address, answer, loaded)
            continue
        else:
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            body = answer.content
            if kind == "application/json" and address in data:
                body = _whole(asking, address, body)
            found.fetched[address] = Fetched(kind, body)
            new = list(_next(site, address, kind, body))
        loaded.update(there for there, use in new if use is Use.LOADED)
        waiting.extend(dict.fromkeys(there for there, _ in new if there not in seen))
        seen.update(there for there, _ in new)
        if len(seen) > MOST_FILES:
            raise NoMirror(
                f"There are more than {MOST_FILES:,} pages and files; a mirror of so many is not made."
            )
    return found


def _next(site: MirroredSite, address: str, kind: str, body: bytes) -> Iterator[tuple[str, Use]]:
    """What is to be asked for because it is linked from `address`."""
    if kind not in _LINKED:
        return
    for link, use in links_of(body.decode("utf-8", "replace"), kind):
        there = site.address(link, address)
        if there is None or use is Use.READ or not site.holds(there):
            continue
        if use is Use.LOADED or _goes_on(address, there):
            yield there, use


def _goes_on(address: str, there: str) -> bool:
    """Whether a link is followed: from a page with choices in its address only to its next pages, not to other choices.

    Choices can be joined without end; those that a page without any leads to are as many as that page has links.
    """
    path, _, query = address.partition("?")
    other, _, asked = there.partition("?")
    if not query or not asked:
        return True
    return path == other and _choices(query) == _choices(asked)


def _choices(query: str) -> list[tuple[str, str]]:
    return [(name, said) for name, said in parse_qsl(query, keep_blank_values=True) if name not in _PAGING]


def _require_not_needed(site: MirroredSite, address: str, answer: httpx.Response, loaded: set[str]) -> None:
    """Refuses a mirror without what its pages cannot do without."""
    if address == site.first:
        raise NoMirror(f"There is no public page of {site.slug}: {_detail(answer)}")
    if address in loaded:
        raise NoMirror(f"{address}, which a page needs, is not there: {_detail(answer)}")


def _detail(answer: httpx.Response) -> str:
    try:
        told = answer.json()
    except ValueError:
        told = None
    said = told.get("detail") if isinstance(told, dict) else None
    return said or f"the server answered {answer.status_code}"


def _phases(asking: "_Asking", site: MirroredSite) -> list[str]:
    answer = asking.get(f"{API}{site.first}")
    if answer.is_error:
        raise NoMirror(f"There is no challenge {site.slug} there: {_detail(answer)}")
    return [str(phase["name"]) for phase in answer.json()["phases"]]


def _operations(asking: "_Asking", site: MirroredSite, phases: list[str]) -> Iterator[str]:
    """What the API's own description says can be read of a challenge, or of a phase, as JSON or CSV.

    Whether visitors may read it is for the server to say, when it is asked for.
    """
    described: dict[str, Any] = asking.get(f"{API}/openapi.json").json()["paths"]
    for path, operations in described.items():
        if not path.startswith(_OPERATIONS) or "get" not in operations:
            continue
        if not set(operations["get"]["responses"].get("200", {}).get("content", ())) & set(_DATA):
            continue
        own = path.replace(_OPERATIONS, f"{API}{site.first}")
        for phase in phases if "{phase}" in own else [""]:
            address = site.address(own.replace("{phase}", phase), "/")
            if "{" not in own.replace("{phase}", "") and address is not None:
                yield address


def _whole(asking: "_Asking", address: str, body: bytes) -> bytes:
    """A list that comes in pages, as one."""
    answer = json.loads(body)
    if not isinstance(answer, dict) or "items" not in answer or not answer.get("next"):
        return body
    items, after = list(answer["items"]), answer["next"]
    while after:
        more = asking.get(address, after=str(after))
        if more.is_error:
            raise NoMirror(f"The rest of {address} did not come: {_detail(more)}")
        items += more.json()["items"]
        after = more.json().get("next")
    return json.dumps({**answer, "items": items, "next": None}, ensure_ascii=False).encode()


class _Asking:
    """Asks, and again where the server says that it has too much to do."""

    def __init__(self, http: httpx.Client, sleep: Callable[[float], None]) -> None:
        self._http, self._sleep = http, sleep

    def get(self, address: str, **query: str) -> httpx.Response:
        """The answer, an error or not.

        Raises:
            NoMirror: the server fails, or is too busy for long.
        """
        for _ in range(_TRIES):
            try:
                answer = self._http.get(
                    address,
                    params=query or None,
                    headers={"Accept-Encoding": "identity", "Accept": "text/html, */*"},
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise NoMirror(f"{address}: no answer: {error or type(error).__name__}") from None
            if answer.status_code not in _LATER or ErrorCode.DATABASE_AWAY in answer.text:
                break
            self._sleep(_pause(answer))
        if answer.status_code in _LATER or answer.is_server_error:
            raise NoMirror(f"{address}: {_detail(answer)}")
        return answer


def _pause(answer: httpx.Response) -> float:
    try:
        return min(max(float(answer.headers.get("retry-after", "1")), 0.1), _LONGEST_PAUSE)
    except ValueError:
        return 1.0
