"""What crosses the API is declared in `contract` and nowhere else."""

import ast
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from server.accounts import schemas
from server.app import create_app
from server.settings import Settings

ROOT = Path(__file__).parents[2]
WITHOUT_A_MODEL = {"/receipts/key", "/worker/me", "/healthz"}
"""Answers of a name or two that nobody parses."""
STRICTER = {schemas.Registration, schemas.SignInRegistration}
"""What the server takes in a stricter form than the contract names, by a rule that only it knows."""


def _routes(app: FastAPI) -> list[APIRoute]:
    return [
        route.original_route
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute)
    ]


def _declared(annotation: Any, seen: set[type]) -> Iterator[type]:
    """Every class that is declared somewhere and stands in a type, in its fields and in theirs."""
    for part in get_args(annotation):
        yield from _declared(part, seen)
    if not isinstance(annotation, type) or annotation in seen:
        return
    seen.add(annotation)
    if issubclass(annotation, BaseModel):
        yield annotation
        for base in annotation.__mro__[1:]:
            if issubclass(base, BaseModel) and base is not BaseModel:
                yield from _declared(base, seen)
        for field in annotation.model_fields.values():
            yield from _declared(field.rebuild_annotation(), seen)
    elif issubclass(annotation, Enum) or is_dataclass(annotation):
        yield annotation


def _strange(annotation: Any) -> set[str]:
    generic = "__pydantic_generic_metadata__"  # `Page[PersonOut]` is made elsewhere of what is declared there
    declared = {
        getattr(one, generic, {}).get("origin") or one
        for one in _declared(annotation, set())
        if one not in STRICTER
    }
    return {
        f"{one.__module__}.{one.__qualname__}"
        for one in declared
        if not one.__module__.startswith(("contract.", "evaluator."))
    }


def test_every_answer_and_every_body_is_declared_in_the_contract(settings: Settings) -> None:
    app = create_app(settings)
    routes = _routes(app)
    found, answers = set(), 0
    for route in routes:
        models = [route.response_model, *(one.get("model") for one in route.responses.values())]
        bodies = [route.body_field.field_info.annotation] if route.body_field is not None else []
        answers += route.response_model is not None
        for one in (*models, *bodies):
            found |= {f"{route.path}: {name}" for name in _strange(one)}
    assert not found, "\n".join(sorted(found))
    assert answers > 40


def test_an_answer_is_a_model(settings: Settings) -> None:
    """A dictionary says nothing to its reader, and nobody sees what was taken out of it."""
    app = create_app(settings)
    bare = {
        route.path
        for route in _routes(app)
        if route.response_model is not None and not any(_declared(route.response_model, set()))
    }
    assert bare == WITHOUT_A_MODEL


def test_what_is_declared_elsewhere_is_found() -> None:
    class Inner(BaseModel):
        value: int

    class Outer(BaseModel):
        inner: dict[str, list[Inner | None]]

    assert {name.rpartition(".")[2] for name in _strange(list[Outer])} == {"Outer", "Inner"}


def test_no_service_takes_the_body_of_a_request(settings: Settings) -> None:
    """What a service does has names of its own: a command or another service has no request to hand over."""
    app = create_app(settings)
    bodies = {
        one.__name__
        for route in _routes(app)
        if route.body_field is not None
        for one in (route.body_field.field_info.annotation, *get_args(route.body_field.field_info.annotation))
        if isinstance(one, type)
    }
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {alias.name}"
        for path in sorted((ROOT / "server").rglob("*.py"))
        # Pages translate, as routers do.
        if not (path.name.endswith(("api.py", "schemas.py")) or path.is_relative_to(ROOT / "server" / "web"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("contract")
        and node.module
        != "contract.leases"  # an offer and a verdict are what the queue works with, from whomever
        for alias in node.names
        if alias.name in bodies
    ]
    assert not found, "\n".join(found)
