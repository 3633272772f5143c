"""Whoever does something is in the event log: each operation of the API that changes anything, against the table.

Each is done where one request can do it, and its event looked for; of all others the code has to reach what writes one.
"""

import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints
from uuid import uuid4

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from sqlalchemy import select

from contract.admin import CaseShown
from contract.cases import ListedCaseOut, ShownCaseOut
from contract.datasets import DifferenceOut
from contract.evaluations import CaseAdminOut, ReceiptOut, Summary
from contract.readiness import ChallengeReadiness
from server import events, moves
from server.app import API
from server.audit.looks import looked
from server.clock import now
from server.database import Base, unit_of_work
from server.events import Event
from server.queue.claim import claim
from server.refusals import reached
from tests.abuse.authority import LET_IN, OPERATIONS
from tests.abuse.conftest import Front
from tests.abuse.test_authority import Sent, World, world
from tests.server.conftest import PASSWORD

__all__ = ["world"]

WRITERS = {events.record, moves.move, moves.begin, claim, looked}
"""What adds an event; to claim is the one statement of SQL that does."""
SILENT = {
    "POST /sessions": "the session is a row, with its times and how it ended",
    "DELETE /sessions/current": "so is its end",
    "DELETE /sessions/{session_id}": "so is its end",
    "POST /password-resets/requests": "it sends a code, and using that is an event",
    "POST /me/address-verification": "it sends a code, and using that is an event",
    "POST /me/address": "it sends a code, and using that is an event",
    "POST /sign-ins": "it begins a way that ends in a session or an identity, rows with their times",
    "POST /sign-ins/outcome": "the session is a row, with its times and how it ended",
    "POST /me/identities": "it begins a way that ends in an identity, a row with its time",
    "POST /notices/read": "what somebody read is their own affair",
    "PUT /notices/settings/{kind}": "what somebody is told is their own affair",
    "POST /admin/gc": "it removes what no row names, as the hourly sweep does",
    "POST /worker/heartbeat": "it only says that a lease goes on",
    "PUT /worker/slots/{name}": "what a slot says of itself is its row",
    "PUT /worker/leases/{case_run}/output": "the bytes count once the verdict names them, which is an event",
    "PATCH /uploads/{upload_id}": "bytes of an upload, whose beginning and end are events",
}
HIDDEN = {
    "GET /admin/show/{id_}",
    "GET /challenges/{slug}/leaderboards/{phase}/comparison",
    "GET /challenges/{slug}/leaderboards/{phase}/entry",
    "GET /challenges/{slug}/leaderboards/{phase}/boards/{board}/distribution",
    "GET /organize/{slug}/phases/{phase}/bundle",
    "GET /admin/datasets/{dataset_id}/effect",
    "GET /admin/evaluations/{evaluation_id}",
    "GET /admin/evaluations/{evaluation_id}/cases",
    "GET /admin/evaluations/{evaluation_id}/cases/{case_id}",
    "GET /admin/evaluations/{evaluation_id}/receipt",
    "GET /admin/evaluations/{evaluation_id}/summary",
    "GET /organize/{slug}/check",
    "GET /organize/{slug}/consignments/{consignment_id}",
    "GET /organize/{slug}/datasets/{dataset_id}/cases",
    "GET /organize/{slug}/datasets/{dataset_id}/cases/{case_id}",
    "GET /organize/{slug}/datasets/{dataset_id}/cases/{case_id}/slices/{plane}",
    "GET /organize/{slug}/datasets/{dataset_id}/cases/{case_id}/volumes/{what}",
    "GET /organize/{slug}/datasets/{dataset_id}/difference",
}
"""What shows single hidden cases, their names or what containers wrote of them: whoever looks is in the log."""
LIKE_WRITERS = {"GET /organize/{slug}/teams/{team_id}/attempts"}
"""A variable of theirs has the name of a function that writes."""
TOO_LATE = {"POST /admin/workers/{worker_id}/suspect"}
"""An act before, the worker's token being revoked, leaves nothing for it to do."""
SECRETS = {
    CaseAdminOut,
    CaseShown,
    ChallengeReadiness,
    DifferenceOut,
    ListedCaseOut,
    ReceiptOut,
    ShownCaseOut,
    Summary,
}
"""What no answer holds without a look that is recorded."""
WHY = "Because of the matrix."
LATER = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0).isoformat()
"""A time that no parameter holds."""
DONE: dict[str, tuple[str, Sent, dict[str, Any]]] = {
    "POST /accounts": (
        "nobody",
        lambda _: {"json": {"email": f"{uuid4().hex}@example.org", "name": "New", "password": PASSWORD}},
        {},
    ),
    "POST /me/password": ("captain", {"json": {"old_password": PASSWORD, "new_password": PASSWORD * 2}}, {}),
    "POST /me/close": ("member", {"json": {"password": PASSWORD}}, {}),
    "POST /challenges/{slug}/teams": ("no team", {"json": {"name": "Another"}}, {}),
    "POST /challenges/{slug}/submissions": (
        "captain",
        lambda known: {
            "json": {"team": known["team_id"], "track": "open", "phase": "sanity"}
            | {"images": {"task5": known["digest"]}},
            "headers": {"Idempotency-Key": "acts"},
        },
        {},
    ),
    "PUT /organize/{slug}/organizers": (
        "admin",
        lambda known: {"json": {"email": known["watcher_email"], "role": "organizer", "yes": True}},
        {},
    ),
    "PATCH /admin/users/{user_id}": ("admin", {"json": {"is_admin": True}}, {}),
    "POST /admin/challenges": (
        "organizer",
        lambda known: {"json": {"file": json.dumps(known["spec"] | {"title": "Another"})}},
        {},
    ),
    "PUT /admin/evaluations/{evaluation_id}/priority": (
        "organizer",
        {"json": {"priority": -1}},
        {"evaluation_id": "running"},
    ),
    "POST /organize/{slug}/questions/{question_id}/answer": ("organizer", {"json": {"answer": "Yes."}}, {}),
    "POST /organize/{slug}/teams/{team_id}/decisions": (
        "organizer",
        {"json": {"why": WHY, "decision": "hide"}},
        {},
    ),
    "POST /organize/{slug}/teams/{team_id}/grants": (
        "organizer",
        {"json": {"why": WHY, "valid": 1, "phase": "validation", "task": "task5", "track": "open"}},
        {},
    ),
    "POST /organize/{slug}/phases/{phase}/dates": ("organizer", {"json": {"closes": LATER, "why": WHY}}, {}),
    "POST /organize/{slug}/phases/{phase}/release": (
        "organizer",
        {"json": {"force": True, "why": WHY}},
        {"phase": "test"},
    ),
    "POST /organize/{slug}/phases/{phase}/unrelease": ("organizer", {"json": {"why": WHY}}, {"phase": "test"}),
}  # fmt: skip
"""Who does what, as the table of authority does not, with what else in the path."""
MADE = {
    "POST /challenges/{slug}/questions": "question_id",
    "POST /teams/{team_id}/invitations": "invitation_id",
}
"""What later operations name."""
_ASKERS = ("admin", "captain", "worker", "nobody")
_LEAST = 35


def acts() -> list[str]:
    """The operations that change something; a plan says what would be changed."""
    safe = ("GET", "HEAD", "OPTIONS")
    return [name for name in OPERATIONS if not name.startswith(safe) and not name.endswith("/plan")]


def endpoints(app: FastAPI) -> dict[str, Callable[..., Any]]:
    """What answers each operation."""
    return {
        f"{method} {(route.path_format or '').removeprefix(API)}": route.dependant.call
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and route.include_in_schema and route.dependant.call
        for method in route.methods or ()
    }


def writes(endpoint: Callable[..., Any]) -> bool:
    """Whether code that an endpoint reaches writes an event; a row's methods are told by their names."""
    found = reached([endpoint], known=(mapper.class_ for mapper in Base.registry.mappers))
    return bool(WRITERS & found) or any(
        ".move_to(" in inspect.getsource(one) for one in found if inspect.isfunction(one)
    )


def held(kind: object) -> set[object]:
    """The models that an answer is made of."""
    found: set[object] = set()
    left = [kind]
    while left:
        part = left.pop()
        left += get_args(part)
        if isinstance(part, type) and issubclass(part, BaseModel) and part not in found:
            found.add(part)
            left += [field.annotation for field in part.model_fields.values()]
    return found


def test_the_code_of_every_act_writes_an_event_and_no_reader_does_but_of_what_is_hidden(front: Front) -> None:
    found = endpoints(front.app)
    assert [name for name in acts() if name not in SILENT and not writes(found[name])] == []
    readers = {name for name in found if name.startswith("GET") and "/worker/" not in name} - LIKE_WRITERS
    assert {name for name in readers if writes(found[name])} == HIDDEN
    answers = {name: held(get_type_hints(found[name])["return"]) for name in readers & set(OPERATIONS)}
    of_hosts = {name for name in answers if OPERATIONS[name]["captain"] != LET_IN and answers[name] & SECRETS}
    assert of_hosts <= HIDDEN, "whoever looks at it has to be in the log"
    assert len(of_hosts) > 5


def test_who_does_something_is_in_the_log_with_the_reason(world: World) -> None:
    running, done, silent, lost = world.known["evaluation_id"], 0, {}, {}
    for operation in acts():
        world.restore()
        usual = next((name for name in _ASKERS if OPERATIONS[operation][name] == LET_IN), None)
        if usual is None:  # for nobody who has an account: what the registry tells is in test_registry.py
            continue
        who, sent, named = DONE.get(operation, (usual, None, {}))
        with unit_of_work(world.sessions) as session:
            began = now(session)
        instead = {name: running if value == "running" else value for name, value in named.items()}
        answer = world.ask(operation, who, sent=sent, **instead)
        assert answer.is_success or operation not in DONE, f"{operation}: {answer.text}"
        if not answer.is_success or operation in (*SILENT, *TOO_LATE):
            continue
        done += 1
        if operation in MADE:
            world.known[MADE[operation]] = answer.json()["id"]
        with unit_of_work(world.sessions) as session:
            written = session.scalars(select(Event).where(Event.created_at > began)).all()
        own = [
            event for event in written if who not in world.accounts or str(world.accounts[who]) in event.actor
        ]
        if not own and OPERATIONS[operation]["admin"] == LET_IN:
            silent[operation] = (answer.status_code, [event.actor for event in written])
        reason = isinstance(sent, dict) and sent.get("json", {}).get("why")
        if reason and not any(reason in (event.why or "") for event in own):
            lost[operation] = [(event.what, event.why) for event in own]
    assert (silent, lost) == ({}, {})
    assert done >= _LEAST, f"only {done} were done"
