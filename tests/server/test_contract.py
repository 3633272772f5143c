"""What crosses the API is declared in `contract` and nowhere else."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from server.accounts import schemas
from server.app import create_app
from server.settings import Settings

WITHOUT_A_MODEL = {"/api/v1/receipts/key", "/api/v1/worker/me", "/healthz"}
"""Answers of a name or two that nobody parses."""
STRICTER = {schemas.Registration}
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
