"""The API's description in OpenAPI 3.0: the bundled Swagger UI renders nothing newer.

What each operation refuses is read from its code (`server.refusals`), whom it answers from what it depends on.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from fastapi.routing import APIRoute, iter_route_contexts

from contract.bounds import MOST_BIGINT
from contract.problems import ErrorCode
from server.accounts.deps import get_viewer
from server.refusals import Refusal, code_of, depends_on, refusals

VERSION = "3.0.3"
PROBLEM = "application/problem+json"

_NULL = {"type": "null"}
_REF = "#/components/schemas/Problem"
_SCHEMA = re.compile(r'"#/components/schemas/([^"]+)"')
_PROBLEM = {
    "title": "Problem",
    "description": "What was wrong, where, and what to do (RFC 9457); some have further fields.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "urn:proctor:problem: and the code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people"},
        "instance": {
            "type": "string",
            "description": "urn:proctor:request: and the id of the request, which the server's log has too",
        },
        "code": {
            "type": "string",
            "description": "For programs; it stays as it is, and newer servers may send others",
            "enum": sorted(ErrorCode),
        },
        "problems": {
            "description": "What was wrong with the request, field by field",
            "type": "array",
            "items": {"type": "object"},
        },
    },
}
# What the framework and the handlers of `server.problems` answer for any operation, for one that takes anything at all,
# and for one that takes JSON.
_ANY: frozenset[Refusal] = frozenset({(500, ErrorCode.INTERNAL_ERROR)})
_WITH_INPUT: frozenset[Refusal] = frozenset(
    {(400, ErrorCode.INVALID_VALUE), (422, ErrorCode.INVALID_REQUEST)}
)
_WITH_JSON: frozenset[Refusal] = frozenset({(400, code_of(400))})


def install(app: FastAPI, url: str) -> None:
    """Makes `app` describe itself in OpenAPI 3.0, at `url` and so on its page."""
    app.openapi_version = VERSION
    made, lock = list[bytes](), Lock()

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    def description() -> Response:
        """The description; made once, in a thread, for it takes a second or two."""
        with lock:
            if not made:
                made.append(json.dumps(app.openapi()).encode())
        return Response(made[0], media_type="application/json")

    app.openapi = described  # type: ignore[method-assign]  # the way FastAPI names for it
    app.add_api_route(url, description, include_in_schema=False)


def _described(app: FastAPI) -> dict[str, Any]:
    made: dict[str, Any] = as_3_0(
        get_openapi(
            title=app.title,
            version=app.version,
            openapi_version=app.openapi_version,
            description=app.description,
            routes=app.routes,
        )
    )
    schemas = made["components"]["schemas"]
    schemas["Problem"] = _PROBLEM
    everywhere = [middleware.cls for middleware in app.user_middleware]
    for operation, dependant in _operations(app, made):
        _mark_required(operation)
        _add_refusals(operation, dependant, everywhere)
        if depends_on(dependant, get_viewer):
            operation["security"] = [{}, *operation["security"]]
    for unused in schemas.keys() - _referenced(made["paths"], schemas):
        del schemas[unused]
    return made


def _referenced(paths: Any, schemas: dict[str, Any]) -> set[str]:
    """Names of the schemas that an operation uses; the framework lists more."""
    found, waiting = set[str](), [paths]
    while waiting:
        new = set(_SCHEMA.findall(json.dumps(waiting.pop()))) - found
        found |= new
        waiting += [schemas[name] for name in new]
    return found


def _operations(app: FastAPI, made: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Dependant]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield made["paths"][route.path_format][method.lower()], route.dependant


def _mark_required(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["schema"].pop("x-required", False):
            parameter["required"] = True
            parameter["schema"].pop("nullable", None)


def _add_refusals(operation: dict[str, Any], dependant: Dependant, everywhere: Iterable[object]) -> None:
    found = set(refusals(dependant, everywhere) | _ANY)
    content = operation.get("requestBody", {}).get("content", {})
    if operation.get("parameters") or content:
        found |= _WITH_INPUT
    if "application/json" in content:
        found |= _WITH_JSON
    operation["responses"].pop("422", None)
    for status in sorted({status for status, _ in found}):
        codes = sorted(code for refused, code in found if refused == status)
        operation["responses"][str(status)] = _answer(status, codes)


def _answer(status: int, codes: Sequence[str]) -> dict[str, Any]:
    named = {"type": "object", "properties": {"code": {"type": "string", "enum": codes}}}
    schema = {"allOf": [{"$ref": _REF}, named]}
    title = HTTPStatus(status).phrase
    return {"description": f"{title}: {', '.join(codes)}", "content": {PROBLEM: {"schema": schema}}}


def as_3_0(schema: Any) -> Any:
    """`schema` without what only 3.1 can say: the type null, bounds that are numbers of their own, constants."""
    if isinstance(schema, list):
        return [as_3_0(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # beside it 3.0 reads nothing
    made = {key: as_3_0(value) for key, value in schema.items()}
    options = made.get("anyOf")
    if isinstance(options, list) and _NULL in options:
        del made["anyOf"]
        made |= _nullable([option for option in options if option != _NULL])
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(exclusive), int | float) and not isinstance(made[exclusive], bool):
            made |= {bound: made[exclusive], exclusive: True}
    if isinstance(made.get("const"), str):
        made["enum"] = [made.pop("const")]
    made.pop("propertyNames", None)
    for values in made.pop("patternProperties", {}).values():
        made["additionalProperties"] = values or True
    if made.get("type") == "integer":
        made |= {bound: _whole(made[bound]) for bound in ("minimum", "maximum") if bound in made}
    return made


def _whole(bound: float) -> int:
    """A bound that the framework keeps as a float, which rounds the largest up."""
    return min(int(bound), MOST_BIGINT)


def _nullable(options: list[Any]) -> dict[str, Any]:
    if len(options) != 1:
        return {"anyOf": options, "nullable": True}
    # Beside a $ref 3.0 reads nothing, so the reference is wrapped.
    return {"allOf": options, "nullable": True} if "$ref" in options[0] else {**options[0], "nullable": True}
