"""Which lane a route is in, and how large a body it takes: by the route that will answer, never by the path."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.routing import Route, compile_path

from server.front.lanes import Terms

_KIB, _MIB = 2**10, 2**20

LANES = (
    # A worker waits 10 s for a heartbeat.
    Terms("workers", permits=6, waiting=256, patience=8, room=128 * _MIB),
    Terms("participants", permits=4, waiting=1024, patience=15),
    Terms("admins", permits=2, waiting=64, patience=15),
    Terms("boards", permits=3, waiting=1024, patience=15),
    Terms("passwords", permits=2, waiting=512, patience=15),  # each takes a core for a tenth of a second
    Terms("strangers", permits=3, waiting=1024, patience=15),
    Terms("sign-ins", permits=16, waiting=128, patience=15),  # most of the time they wait for a provider
    Terms("uploads", permits=64, waiting=1024, patience=10, each=8),
    Terms("outputs", permits=16, waiting=64, patience=30, each=8),
    Terms("imports", permits=2, waiting=16, patience=30),
    Terms("bundles", permits=2, waiting=8, patience=60),
    Terms(
        "wake-ups", permits=1024, waiting=64, patience=2, each=512
    ),  # held, and nearly all of the time idle
    Terms("downloads", permits=12, waiting=128, patience=60, each=8),
)
"""Every lane. Another one is another line; a route comes into it by a row of `_SPECIAL`."""

IN_THREADS = frozenset(lane.name for lane in LANES) - {
    "sign-ins",
    "uploads",
    "outputs",
    "imports",
    "wake-ups",
}
"""Lanes whose permits stand for a thread and a connection each; streams have `STREAM_THREADS` instead."""


@dataclass(frozen=True)
class Rule:
    """What holds for the requests of a route.

    `lane` is None for what is answered from memory. `most` bounds the body in bytes; None is a stream, which the
    endpoint bounds. `anybody` may use the lane; in others those who are not known go into the lane of strangers, with
    bodies of `unknown` bytes at most. `to_the_end` keeps the permit until the answer is out.
    """

    lane: str | None
    most: int | None = 64 * _KIB
    anybody: bool = False
    unknown: int = 64 * _KIB
    to_the_end: bool = False


NOWHERE = Rule("strangers", anybody=True)
"""For what no route answers."""

_MEMORY = Rule(None, most=_KIB)
_BOARD = Rule("boards", most=16 * _KIB, anybody=True)
_PASSWORD = Rule("passwords", anybody=True)
_TO_PROVIDER = Rule("sign-ins", most=_KIB, anybody=True)
_DOWNLOAD = Rule("downloads", most=_KIB, to_the_end=True)
_TAKEN_AWAY = Rule(
    "bundles", most=_KIB, to_the_end=True
)  # by people; the lane of downloads is run workers' own
_LONG_TEXT = Rule("admins", most=4 * _MIB, unknown=4 * _MIB)
_BOARDS = "/api/v1/challenges/{slug}/leaderboards/{phase}"
_EDITIONS = "/api/v1/challenges/{slug}/phases/{phase}/editions"
_CASES = "/api/v1/organize/{slug}/datasets"
_LEASES = "/api/v1/worker/leases"

_SPECIAL = {
    ("GET", "/healthz"): _MEMORY,
    ("GET", "/assets/{digest}/{name}"): _MEMORY,
    ("GET", "/static/third_party/{file}"): _MEMORY,
    ("HEAD", "/static/third_party/{file}"): _MEMORY,
    ("GET", "/sign-in"): _MEMORY,
    ("GET", "/register"): _MEMORY,
    ("GET", "/reset"): _MEMORY,
    ("GET", "/api/v1/openapi.json"): _BOARD,
    ("GET", "/api/v1/receipts/key"): _BOARD,
    ("GET", "/api/v1/receipts/keys"): _BOARD,
    ("GET", "/api/v1/challenges"): _BOARD,
    ("GET", "/api/v1/challenges/{slug}"): _BOARD,
    ("GET", "/api/v1/challenges/{slug}/leaderboards/{phase}"): _BOARD,
    ("GET", "/api/v1/challenges/{slug}/leaderboards/{phase}.csv"): _BOARD,
    ("GET", f"{_BOARDS}/certainty"): _BOARD,
    ("GET", f"{_BOARDS}/comparison"): _BOARD,
    ("GET", f"{_BOARDS}/entry"): _BOARD,
    ("GET", f"{_BOARDS}/boards/{{board}}/distribution"): _BOARD,
    ("GET", _EDITIONS): _BOARD,
    ("GET", f"{_EDITIONS}/{{number}}/differences"): _BOARD,
    ("GET", "/api/v1/challenges/{slug}/agreements"): _BOARD,
    ("GET", "/api/v1/challenges/{slug}/agreements/{digest}"): _BOARD,
    ("GET", "/api/v1/challenges/{slug}/questions"): _BOARD,
    ("OPTIONS", "/api/v1/challenges/{slug}/uploads"): _BOARD,
    ("OPTIONS", "/api/v1/uploads/{upload_id}"): _BOARD,
    ("POST", "/api/v1/accounts"): _PASSWORD,
    ("POST", "/api/v1/sessions"): _PASSWORD,
    ("POST", "/api/v1/me/password"): _PASSWORD,
    ("POST", "/api/v1/me/close"): _PASSWORD,
    ("POST", "/api/v1/password-resets"): _PASSWORD,
    ("POST", "/api/v1/password-resets/requests"): _TO_PROVIDER,
    ("POST", "/api/v1/me/address"): _PASSWORD,
    ("POST", "/sign-in/{key}"): _TO_PROVIDER,
    ("GET", "/sign-in/back/{provider}"): _TO_PROVIDER,
    ("POST", "/sign-in/with/{provider}"): Rule("sign-ins", most=8 * _KIB, anybody=True),
    ("PATCH", "/api/v1/uploads/{upload_id}"): Rule("uploads", most=None, anybody=True, to_the_end=True),
    ("POST", "/api/v1/admin/challenges"): _LONG_TEXT,
    ("POST", "/api/v1/admin/challenges/plan"): _LONG_TEXT,
    ("POST", "/api/v1/admin/challenges/{slug}/results"): _LONG_TEXT,
    ("POST", "/api/v1/organize/{slug}/agreements"): _LONG_TEXT,
    ("POST", "/api/v1/organize/{slug}/agreements/plan"): _LONG_TEXT,
    ("POST", "/organize/{slug}/documents/plan"): _LONG_TEXT,
    ("POST", f"{_CASES}/{{dataset_id}}/corrections"): Rule("admins", most=_MIB),
    ("GET", "/api/v1/organize/{slug}/phases/{phase}/bundle"): _TAKEN_AWAY,
    ("POST", _CASES): Rule("imports", most=None, to_the_end=True),
    ("PUT", f"{_CASES}/{{dataset_id}}/labels/{{case}}"): Rule("imports", most=None, to_the_end=True),
    ("GET", f"{_CASES}/{{dataset_id}}/cases/{{case_id}}/volumes/{{what}}"): _TAKEN_AWAY,
    ("GET", "/api/v1/worker/wake-ups"): Rule("wake-ups", most=_KIB),
    # A log of a million characters, each escaped, has to fit.
    ("POST", f"{_LEASES}/{{case_run}}/finish"): Rule("workers", most=8 * _MIB),
    ("PUT", f"{_LEASES}/{{case_run}}/output"): Rule("outputs", most=None, to_the_end=True),
    ("GET", f"{_LEASES}/{{case_run}}/inputs/{{key}}"): _DOWNLOAD,
    ("GET", f"{_LEASES}/{{case_run}}/blobs/{{digest}}"): _DOWNLOAD,
}
"""Routes that differ from what their path's beginning says."""


_OF_PEOPLE = (
    "/account",
    "/notices",
    "/invitations",
    "/submissions",
    "/evaluations",
    "/challenges/{slug}/mine",
    "/challenges/{slug}/submit",
    "/challenges/{slug}/team",
)
"""Pages of people who are signed in."""


def _usual(template: str) -> Rule:
    if template.startswith(_OF_PEOPLE):
        return Rule("participants")
    if template.startswith(("/organize", "/admin")):
        return Rule("admins")
    if not template.startswith("/api/"):
        return _BOARD  # pages that anybody may see
    if template.startswith(("/api/v1/admin/", "/api/v1/organize/")):
        return Rule("admins")
    return Rule("workers" if template.startswith("/api/v1/worker/") else "participants")


_FURTHER = (("GET", "/api/v1/openapi.json"), ("GET", "/static/swagger/{path:path}"))
"""What an application answers beside the routes of its routers."""


def beginning(path: str) -> str:
    """What tells most routes apart at once: /account of /account/tokens, /api/v1/teams of /api/v1/teams/{team_id}."""
    return "/".join(path.split("/", 4)[: 4 if path.startswith("/api/v1/") else 2])


def beginning_of_route(template: str) -> str:
    """The beginning of every path that a route matches.

    Raises:
        ValueError: they begin differently.
    """
    found = beginning(template)
    if "{" in found:
        raise ValueError(f"{template} begins with a parameter")
    return found


@dataclass(frozen=True)
class _Known:
    pattern: re.Pattern[str]
    method: str
    template: str
    rule: Rule

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    @classmethod
    def of(cls, method: str, template: str) -> "_Known":
        rule = _SPECIAL.get((method, template)) or _usual(template)
        return cls(compile_path(template)[0], method, template, rule)


class Table:
    """The rules of an application's routes, which match in the order in which the application tries them."""

    def __init__(self, routers: Iterable[tuple[str, APIRouter]]) -> None:
        listed = [
            (method, prefix + route.path)
            for prefix, router in routers
            for route in router.routes
            if isinstance(route, Route)
            for method in sorted(route.methods or ())
        ]
        self._rows = [_Known.of(method, template) for method, template in (*listed, *_FURTHER)]
        unknown = set(_SPECIAL) - {(row.method, row.template) for row in self._rows}
        if unknown:
            raise ValueError(f"rules of routes that are not there: {sorted(unknown)}")
        self._alike: dict[tuple[str, str], list[_Known]] = {}
        for row in self._rows:
            self._alike.setdefault((row.method, beginning_of_route(row.template)), []).append(row)

    def rule(self, method: str, path: str) -> Rule:
        """The rule of the route that answers this."""
        return self.route(method, path)[1]

    def route(self, method: str, path: str) -> tuple[str, Rule]:
        """The route that answers this, as its method and template, and its rule."""
        for row in self._alike.get((method, beginning(path)), ()):
            if row.pattern.match(path):
                return row.name, row.rule
        return "nowhere", NOWHERE

    def listed(self) -> dict[tuple[str, str], Rule]:
        """Every route with its rule, for whoever wants to look."""
        return {(row.method, row.template): row.rule for row in self._rows}
