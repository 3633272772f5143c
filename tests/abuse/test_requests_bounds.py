"""Requests that are large where the API's description sets no bound: lists, dictionaries, texts, numbers.

A list of 2,000,000 wrong elements kept the server busy for a minute, for each made an error with a text of its own.
Here the description is walked for anything without a bound, and every endpoint gets the worst bodies of 64 KiB; what
is counted are errors and bytes, not seconds.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError

from server.app import create_app
from server.settings import Settings
from tests.server.conftest import Person
from tests.server.lab import Lab

Json = dict[str, Any]

BODY = 64 * 2**10
_BOUNDED_FORMATS = {"uuid", "date-time"}
_ANYTHING = ("(Finish).receipt{}",)  # a run worker's receipt is kept as it is; its size is bounded
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture(scope="module")
def description(app: FastAPI) -> Json:
    return app.openapi()


def unbounded(schema: Json, description: Json, where: str) -> Iterator[str]:
    """Where below `schema` something that a client sends has no bound."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if where.count(f"({name})") == 0:
            yield from unbounded(description["components"]["schemas"][name], description, f"{where}({name})")
        return
    for many in ("anyOf", "oneOf", "allOf"):
        if many in schema:
            for one in schema[many]:
                yield from unbounded(one, description, where)
            return
    if "enum" in schema or "const" in schema:
        return
    yield from _of_type(schema, description, where)


def _of_type(schema: Json, description: Json, where: str) -> Iterator[str]:
    kind = schema.get("type")
    if kind == "string" and schema.get("format") not in _BOUNDED_FORMATS and "maxLength" not in schema:
        yield f"{where}: a text without maxLength"
    if kind in ("integer", "number") and not {"minimum", "maximum"} <= set(schema):
        yield f"{where}: a number without minimum and maximum"
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{where}: a list without maxItems"
        yield from unbounded(schema["items"], description, f"{where}[]")
    if kind == "object":
        yield from _of_object(schema, description, where)
    if kind is None and not where.endswith(_ANYTHING):
        yield f"{where}: anything"


def _of_object(schema: Json, description: Json, where: str) -> Iterator[str]:
    for name, one in schema.get("properties", {}).items():
        yield from unbounded(one, description, f"{where}.{name}")
    if "properties" not in schema and "maxProperties" not in schema:
        yield f"{where}: a dictionary without maxProperties"
    if isinstance(extra := schema.get("additionalProperties"), dict):
        yield from unbounded(extra, description, f"{where}{{}}")


def sent(description: Json) -> Iterator[tuple[str, Json]]:
    """Every schema of what a client sends, and where."""
    for path, methods in description["paths"].items():
        for method in _METHODS:
            operation = methods.get(method, {})
            for one in operation.get("parameters", ()):
                yield f"{method} {path} {one['in']} {one['name']}", one["schema"]
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                if kind == "application/json":
                    yield f"{method} {path} body", content["schema"]


def test_nothing_that_a_client_sends_is_without_a_bound(description: Json) -> None:
    found = [one for where, schema in sent(description) for one in unbounded(schema, description, where)]
    assert not found, "\n".join(found)
    assert len(list(sent(description))) > 80


def _bodies(app: FastAPI) -> list[tuple[str, type[BaseModel]]]:
    return [
        (f"{sorted(route.methods)[0]} {route.path}", route.body_field.field_info.annotation)
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and route.body_field is not None
    ]


def _worst(schema: Json, definitions: Json, size: int) -> Iterator[Any]:
    """Values that make as many errors as `size` bytes can, somewhere below a schema."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    yield [0] * (size // 3)
    yield [{}] * (size // 4)
    yield {f"{number:x}": 0 for number in range(size // 10)}
    yield {f"{number:x}": {} for number in range(size // 10)}
    yield "\x1b" * (size // 6)
    yield [0] * schema.get("maxItems", 0)
    yield [{}] * schema.get("maxItems", 0)
    yield {f"{number:x}": 0 for number in range(schema.get("maxProperties", 0))}
    for one in schema.get("anyOf", ()):
        yield from _worst(one, definitions, size)
    for name, one in schema.get("properties", {}).items():
        yield from ({name: value} for value in _worst(one, definitions, size))
    if "items" in schema:
        yield from ([value] for value in _worst(schema["items"], definitions, size))


def _errors(model: type[BaseModel], value: Any) -> int:
    try:
        TypeAdapter(model).validate_python(value)
    except ValidationError as refused:
        return refused.error_count()
    return 0


def test_the_worst_body_of_64_kib_makes_few_errors(app: FastAPI) -> None:
    bodies = _bodies(app)
    assert len(bodies) > 15
    for where, model in bodies:
        schema = TypeAdapter(model).json_schema()
        for value in _worst(schema, schema.get("$defs", {}), BODY):
            assert _errors(model, value) <= 120, (where, str(value)[:80])


def test_a_refusal_tells_twenty_errors_at_most_and_how_many_more(admin: Person) -> None:
    answer = admin.http.post("/tokens", json={"name": "", "scopes": [0] * 500})
    assert answer.status_code == 422
    assert len(answer.content) < 1_000, answer.text
    assert "scopes: at most 4 entries are allowed" in answer.json()["detail"]
    wrong = {f"task {number}" + "x" * 90: number for number in range(50)}
    many = admin.http.post("/challenges/x/submissions", json={"images": wrong, "track": 1, "phase": 2})
    assert many.status_code == 422
    assert len(many.json()["problems"]) == 20
    assert many.json()["detail"].endswith("; and 32 more")
    assert len(many.content) < 8_000, many.text


def test_fields_that_nobody_knows_are_counted_and_not_told_one_by_one(admin: Person) -> None:
    unknown = {f"field {number}": 0 for number in range(4_000)}
    answer = admin.http.patch(f"/admin/teams/{admin.id}", json=unknown)
    assert answer.status_code == 422
    assert "has 4,000 fields and takes 5" in answer.json()["detail"]
    assert len(answer.content) < 600, answer.text


@pytest.mark.parametrize("scopes", [[0] * 20_000, [{}] * 15_000, ["x" * 60_000], [["x"] * 10_000]])
def test_no_refusal_repeats_what_was_sent(admin: Person, scopes: list[Any]) -> None:
    answer = admin.http.post("/tokens", json={"name": "x" * 5_000, "scopes": scopes})
    assert answer.status_code == 422
    assert len(answer.content) < 4_000, len(answer.content)


def test_a_long_path_is_not_repeated_at_length(nobody: httpx.Client) -> None:
    for path in ("/challenges/" + "a" * 5_000, "/submissions/" + "b" * 5_000, "/nothing/" + "c" * 5_000):
        answer = nobody.get(path)
        assert answer.status_code in (401, 404, 422), answer.text
        assert len(answer.content) < 1_500, len(answer.content)


def test_a_body_that_is_no_json_says_so_in_few_words(admin: Person) -> None:
    kinds = {"Content-Type": "application/json"}
    answer = admin.http.post("/tokens", content=b"[" * 3_000, headers=kinds)
    assert answer.status_code in (400, 422)
    assert len(answer.content) < 1_000
    assert json.loads(answer.content)["code"]


@pytest.mark.parametrize("since", ["0.5", "1e9", "-1", "nan", "99999999999999999999"])
def test_a_number_is_no_time(admin: Person, since: str) -> None:
    for path in ("/admin/errors", "/admin/evaluations"):
        answer = admin.http.get(path, params={"since": since})
        assert answer.status_code == 422, path
        assert answer.json()["detail"] == "since: has to be a time such as 2026-01-31T12:00:00Z"
    assert admin.http.get("/admin/errors", params={"since": "2026-01-31T12:00:00Z"}).status_code == 200


@pytest.mark.parametrize("word", [1, 0, "yes", "true", "off"])
def test_a_number_or_a_word_is_no_yes(admin: Person, word: object) -> None:
    for method, path, body in (
        ("PATCH", f"/admin/users/{admin.id}", {"is_admin": word}),
        ("PATCH", f"/admin/teams/{admin.id}", {"baseline": word}),
        ("POST", "/admin/challenges", {"file": "x", "confirmed": word}),
    ):
        answer = admin.http.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), path


def test_the_longest_heartbeat_fits_into_a_body_that_anybody_may_send(lab: Lab, nobody: httpx.Client) -> None:
    held = [{"case_run": str(uuid4()), "claim_no": 2**31 - 1} for _ in range(501)]
    worker = lab.worker().http
    assert worker.post("/worker/heartbeat", json={"leases": held[1:]}).status_code == 200
    assert worker.post("/worker/heartbeat", json={"leases": held}).status_code == 422
    assert nobody.post("/worker/heartbeat", json={"leases": held[1:]}).status_code == 401


def test_the_description_says_what_the_beginning_of_an_id_is(description: Json) -> None:
    parameters = description["paths"]["/api/v1/admin/evaluations"]["get"]["parameters"]
    pattern = next(one["schema"]["pattern"] for one in parameters if one["name"] == "id")
    assert re.search(pattern, "01a2261c-119A")
    assert not any(re.search(pattern, wrong) for wrong in ("01a", "task5", "é" * 4, "0" * 33))
