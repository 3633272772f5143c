"""Requests that fit the API's description badly or not at all: each gets an answer, and none is a fault of ours."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contract.accounts import Scope
from server.accounts.models import Account, TokenKind
from server.accounts.tokens import issue
from server.database import SessionFactory, unit_of_work
from tests.server.conftest import Clients, Person
from tests.server.lab import Entrant, FakeWorker, Lab

Json = dict[str, Any]

_GOODBYES = {"/api/v1/sessions/current", "/api/v1/teams/{team_id}/members/me"}
"""Whoever says these once is refused everything afterwards."""
_NO_OPERATION = ("not_found", "method_not_allowed")
"""What is answered where a path or a method is none of the API's."""
_METHODS = ("get", "post", "put", "patch", "delete")
_ODD: Sequence[Any] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**40, 1.5, 1e308, "", " ", "0", "null", "é" * 40,
    "\0", "\ud800", "a" * 3_000, "../../etc/passwd", "%00", "'; select 1; --", "[red]", "\x1b[2J", "١", "ﬁ", [], {},
    [None], [[[]]], {"a": {"b": {}}}, ["x"] * 50, "2026-02-30T00:00:00Z", "2026-01-01", "sha256:" + "0" * 64,
)  # fmt: skip
_RAW = (
    b"",
    b"{",
    b"[1,",
    b'{"a":NaN}',
    b'{"a":1e999}',
    b"\xff\xfe",
    b"null",
    b"[" * 2_000,
    b'"\\ud800"',
    b"\x00",
)


@dataclass(frozen=True)
class Operation:
    """One operation of the API's description."""

    method: str
    path: str
    parameters: tuple[Json, ...]
    body: Json | None
    responses: Json

    def refuses_with(self, status: int, code: str) -> bool:
        """Whether the description says that this operation can answer so."""
        content = self.responses.get(str(status), {}).get("content", {})
        named = content.get("application/problem+json", {}).get("schema", {}).get("allOf", [{}])[-1]
        return code in named.get("properties", {}).get("code", {}).get("enum", ())


def operations(description: Json) -> Iterator[Operation]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS and not (method == "delete" and path in _GOODBYES):
                content = operation.get("requestBody", {}).get("content", {})
                body = content.get("application/json", {}).get("schema")
                parameters = tuple(operation.get("parameters", ()))
                yield Operation(method.upper(), path, parameters, body, operation["responses"])


@dataclass(frozen=True)
class Fuzzer:
    """Makes requests from a seed: values that fit, values that nearly do, and rubbish."""

    random: random.Random
    schemas: Json
    known: Sequence[str]
    ids: Sequence[str]

    def asker(self, operation: Operation, identities: Sequence[str]) -> str:
        """Mostly whom the operation is for."""
        area = operation.path.removeprefix("/api/v1/").split("/")[0]
        meant = {"worker": "worker", "admin": "admin"}.get(area, "participant")
        return meant if self.random.random() < 0.6 else self.random.choice(identities)

    def request(self, operation: Operation) -> tuple[str, Json]:
        """The path and the arguments of one request."""
        path, query, headers = operation.path, [], {}
        for one in operation.parameters:
            value = self.value(one.get("schema", {}))
            if one["in"] == "path":
                path = path.replace(f"{{{one['name']}}}", _quoted(value))
            elif one["in"] == "query" and (one.get("required") or self.random.random() < 0.5):
                query.append((one["name"], _text(value)))
            elif one["name"] == "tus-resumable" and self.random.random() < 0.8:
                headers["Tus-Resumable"] = "1.0.0"
            elif one["in"] == "header" and self.random.random() < 0.7:
                headers[one["name"]] = (
                    _text(value).encode("ascii", "ignore").decode().replace("\0", "").strip()
                )
        headers = {key: value for key, value in headers.items() if value.isprintable()}
        arguments: Json = {"params": query, "headers": headers}
        if operation.body is not None:
            if self.random.random() < 0.15:
                arguments["content"] = self.random.choice(_RAW)
                headers["Content-Type"] = "application/json"
            else:
                arguments["content"] = _json(self.value(operation.body))
                headers["Content-Type"] = "application/json"
        elif operation.method in ("PUT", "PATCH"):
            arguments["content"] = self.random.choice(_RAW)
        return path, arguments

    def value(self, schema: Json, depth: int = 0) -> Any:
        if depth > 6 or self.random.random() < 0.08:
            return self.random.choice(_ODD)
        if "$ref" in schema:
            return self.value(self.schemas[schema["$ref"].rsplit("/", 1)[1]], depth + 1)
        for many in ("anyOf", "oneOf", "allOf"):
            if many in schema:
                return self.value(self.random.choice(schema[many]), depth + 1)
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        if "default" in schema and self.random.random() < 0.3:
            return schema["default"]
        return self._typed(schema, depth)

    def _typed(self, schema: Json, depth: int) -> Any:
        match schema.get("type"):
            case "object":
                found = {
                    key: self.value(one, depth + 1)
                    for key, one in schema.get("properties", {}).items()
                    if key in schema.get("required", ()) or self.random.random() < 0.6
                }
                extra = schema.get("additionalProperties")
                if isinstance(extra, dict):
                    names = self.random.choices([*self.known, "task5", "x"], k=self.random.randint(0, 3))
                    found |= {name: self.value(extra, depth + 1) for name in names}
                return found
            case "array":
                return [
                    self.value(schema.get("items", {}), depth + 1) for _ in range(self.random.randint(0, 3))
                ]
            case "integer":
                return self.random.choice([0, 1, 1, 1, 2, 5, 100, -1, 2**31 - 1, 2**31, 2**63])
            case "number":
                return self.random.choice([0, 0.5, 1, 1e9, -1.0, 1e300])
            case "boolean":
                return self.random.random() < 0.5
            case "string":
                return self._string(schema.get("format"))
        return self.random.choice(_ODD)

    def _string(self, form: str | None) -> str:
        if form == "uuid":
            other = str(UUID(int=self.random.getrandbits(128), version=4))
            return self.random.choice([*self.ids, other])
        if form == "date-time" and self.random.random() < 0.7:
            return self.random.choice(
                ["2026-12-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
            )
        return self.random.choice(
            [*self.known, "x", "Ada", "somebody@example.org", "validation", "open", "é", "a" * 300]
        )


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text.encode("utf-8", "replace").decode()


def _quoted(value: Any) -> str:
    quoted = httpx.QueryParams({"v": _text(value)}).__str__().removeprefix("v=")
    return quoted.replace("+", "%20") or "%20"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def identities(
    sessions: SessionFactory,
    clients: Clients,
    team: Entrant,
    lab: Lab,
    person: Callable[..., Person],
    first_admin: tuple[str, str, str],
) -> dict[str, httpx.Client]:
    """Everybody who may ask; the admin is one of this test's own, who may lose the account."""
    with unit_of_work(sessions) as session:
        account = Account(
            email=f"{uuid4().hex}@example.org", name="Grace", password_hash="none", is_admin=True
        )
        session.add(account)
        session.flush()
        scopes = list(Scope)
        token, _ = issue(session, TokenKind.SESSION, name="log-in", user_id=account.id, scopes=scopes)
    return {
        "nobody": clients(None),
        "stranger": person().http,
        "participant": team.http,
        "admin": clients(token),
        "worker": lab.worker().http,
    }


def answers(
    seed: int, rounds: int, identities: dict[str, httpx.Client], team: Entrant, lab: Lab
) -> Iterator[tuple[str, Operation, httpx.Response]]:
    team.submit()
    lease = FakeWorker(identities["worker"], "fuzz").take()
    address = str(identities["nobody"].base_url).removesuffix("/api/v1/")
    description = identities["nobody"].get(f"{address}/api/v1/openapi.json").json()
    known = (lab.slug, team.team, team.image, "task5", "validation", "fuzz")
    ids = (team.team, lease["evaluation"], lease["case_run"])
    dice = random.Random(seed)  # noqa: S311 - nothing is secret here
    fuzzer = Fuzzer(dice, description["components"]["schemas"], known, ids)
    every = list(operations(description))
    assert len(every) > 40
    for _ in range(rounds):
        for operation in every:
            name = fuzzer.asker(operation, list(identities))
            path, arguments = fuzzer.request(operation)
            answer = identities[name].request(operation.method, f"{address}{path}", **arguments)
            yield f"{name}: {operation.method} {path} {arguments}", operation, answer


def hold(seed: int, rounds: int, identities: dict[str, httpx.Client], team: Entrant, lab: Lab) -> None:
    """Every answer is below 500, and each refusal a problem with a sentence and a code that the description has."""
    for request, operation, answer in answers(seed, rounds, identities, team, lab):
        said = f"{request} -> {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500, said
        assert "Traceback" not in answer.text, said
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", said
            problem = answer.json()
            found = operation.refuses_with(answer.status_code, problem["code"])
            assert found or problem["code"] in _NO_OPERATION, f"not in the description: {said}"
            assert problem["detail"], said


def test_no_request_is_answered_with_a_fault_of_ours(
    identities: dict[str, httpx.Client], team: Entrant, lab: Lab
) -> None:
    hold(2026, 6, identities, team, lab)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_no_request_of_many_is_answered_with_a_fault_of_ours(
    seed: int, identities: dict[str, httpx.Client], team: Entrant, lab: Lab
) -> None:
    hold(seed, 60, identities, team, lab)
