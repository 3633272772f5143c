"""Texts with what PostgreSQL, JSON or a terminal does not bear, in every field, path and query of the API.

ESC sequences, carriage returns, NUL, bidirectional controls and halves of surrogate pairs: who sends them is refused in
a sentence. A run worker's texts are cleaned instead, for what a container wrote must not cost a verdict.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError

from contract.texts import cleaned, line, prose
from server.app import create_app
from server.settings import Settings
from tests.server.conftest import Person, Tus
from tests.server.lab import Entrant, FakeWorker, Lab

Json = dict[str, Any]
_Place = tuple[str, ...]

BAD = ["\0", "\x1b[2J", "a\x1b]0;title\x07b", "\x9b1m", "back\bspace", "\u202egnp.exe", "a\x7fb", "one\rtwo"]
HALF = "half a pair \ud800"
OWN_RULES = (
    "POST /api/v1/challenges/{slug}/teams",
)  # the service refuses more than this, with a code of its own
SECRETS = {
    "password",
    "old_password",
    "new_password",
}  # hashed and never shown; any character makes them better
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


def texts(schema: Json, definitions: Json, place: _Place = ()) -> Iterator[_Place]:
    """Where in a body a text stands that is no id, time or word of a list."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    for one in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from texts(one, definitions, place)
    if schema.get("type") == "string" and not {"enum", "const", "format"} & set(schema):
        yield place
    for name, one in schema.get("properties", {}).items():
        yield from texts(one, definitions, (*place, name))
    if "items" in schema:
        yield from texts(schema["items"], definitions, (*place, "[]"))
    if isinstance(extra := schema.get("additionalProperties"), dict):
        yield from texts(extra, definitions, (*place, "{}"))


def body_with(place: _Place, text: str) -> Any:
    if not place:
        return text
    inside = body_with(place[1:], text)
    return {"[]": [inside], "{}": {"x": inside}}.get(place[0], {place[0]: inside})


def bodies(app: FastAPI) -> Iterator[tuple[str, type[BaseModel], _Place]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.body_field is not None:
            model = route.body_field.field_info.annotation
            schema = TypeAdapter(model).json_schema()
            for place in texts(schema, schema.get("$defs", {})):
                yield f"{sorted(route.methods)[0]} {route.path}", model, place


def _refused(model: type[BaseModel], place: _Place, text: str) -> bool:
    """Whether what is wrong with a body with this text is the text."""
    try:
        TypeAdapter(model).validate_python(body_with(place, text))
    except ValidationError as refused:
        wanted = len([part for part in place if part])
        return any(len(one["loc"]) >= wanted and one["loc"][0] == place[0] for one in refused.errors())
    return False


def _kept(model: type[BaseModel], place: _Place, text: str) -> str:
    """The text as a field that takes it keeps it."""
    field = TypeAdapter(model.model_fields[place[0]].rebuild_annotation())
    value = body_with(place[1:], text)
    return str(field.dump_python(field.validate_python(value)))


def test_every_text_of_a_body_is_refused_or_cleaned(app: FastAPI) -> None:
    seen = 0
    for where, model, place in bodies(app):
        for bad in (*BAD, HALF):
            if place[-1] in SECRETS or where in OWN_RULES or _refused(model, place, bad):
                continue
            seen += 1
            assert "/worker/" in where, f"{where} takes {bad!r} as {'.'.join(place)}"
            kept = _kept(model, place, bad)
            assert not any(one in kept for one in "\0\x1b\x9b\b\x7f\r\u202e\ud800"), (where, place, kept)
    assert seen > 30
    assert len(list(bodies(app))) > 25


def parameters(description: Json) -> Iterator[tuple[str, str, Json, list[Json]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            every = [one for one in operation.get("parameters", ()) if one["in"] in ("path", "query")]
            for one in every:
                schema = one["schema"]
                if schema.get("type") == "string" and not {"enum", "format"} & set(schema):
                    yield method.upper(), path, one, every


def test_every_text_of_a_path_or_a_query_is_refused(
    app: FastAPI, admin: Person, lab: Lab, nobody: httpx.Client
) -> None:
    worker = lab.worker().http
    found = list(parameters(app.openapi()))
    assert len(found) > 25
    for method, path, parameter, every in found:
        for bad in ("\x1b[2J", "a\0b", "\u202eab"):
            where, query = path, {}
            for one in every:
                value = bad if one is parameter else str(uuid4()) if "id" in one["name"] else "1"
                if one["in"] == "path":
                    where = where.replace(f"{{{one['name']}}}", quote(value, safe=""))
                elif one is parameter or one.get("required"):
                    query[one["name"]] = value
            asker = worker if "/worker/" in path else admin.http
            answer = asker.request(method, str(asker.base_url.join(where)), params=query)
            if method == "PUT" and "/slots/" in path:
                continue  # a slot's name is cleaned, as in its body
            said = f"{method} {where} {query} -> {answer.status_code} {answer.text}"
            assert answer.status_code == 422, said
            told = {one["field"] for one in answer.json()["problems"]}
            assert parameter["name"] in told, said


def test_a_team_s_name_with_control_characters_is_refused_by_the_rules_of_names(
    person: Callable[..., Person], slug: str
) -> None:
    for bad in (*BAD, "\n"):
        answer = person().http.post(f"/challenges/{slug}/teams", json={"name": f"Team {bad}"})
        if answer.status_code == 201:  # blanks of any kind become one
            assert answer.json()["name"] == f"Team {bad}".replace("\r", " ").strip()
        else:
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_team_name"), bad


@pytest.mark.parametrize("name", ["\x1b[2J.tar", "a\nb.tar", "a\rb.tar", "\u202erat.tar"])
def test_a_file_name_with_control_characters_is_refused_in_a_sentence(tus: Tus, slug: str, name: str) -> None:
    answer = tus.create(slug, b"0123456789", filename=name)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_metadata")
    assert "filename has to be one line of text" in answer.json()["detail"]


def test_a_file_name_in_any_script_is_kept(tus: Tus, slug: str) -> None:
    name = "Bild\u00a0mit \u202f Leerzeichen, образ, 画像 👩\u200d🔬.tar"
    assert tus.http.get(tus.begin(slug, b"0123456789", filename=name)).json()["filename"] == name


def test_what_a_worker_says_of_a_container_is_kept_without_what_a_terminal_obeys(
    lab: Lab, team: Entrant
) -> None:
    evaluation = team.submit()
    worker = FakeWorker(lab.worker().http, "loud")
    lease = worker.take()
    said = (
        "\x1b[31mred\x1b[0m 10 %\r20 %\r\n\x1b]8;;http://evil\x07link\x1b]8;;\x07 \x1b]52;c;AAAA\x1b\\\0end"
    )
    body = {"fault": "exit_code", "message": "It ended with 1.", "seconds": 1.5, "log": said}
    assert worker.call("POST", lease, "finish", json=body).status_code == 204
    run = next(one for one in lab.runs(evaluation) if one.id == UUID(lease["case_run"]))
    assert run.log == "red 10 %\n20 %\nlink \ufffdend"


def test_a_command_that_does_not_end_hides_no_line() -> None:
    assert cleaned("before\x1b]0;title\nand a line\x1b[1") == "before0;title\nand a line1"


def test_texts_in_one_line() -> None:
    assert line("Zürich, 東京 – 1\u00a0mm") == "Zürich, 東京 – 1\u00a0mm"
    for bad in (*BAD, HALF, "two\nlines", "a\tb", "a\u2028b"):
        with pytest.raises(ValueError, match="one line of text"):
            line(bad)


def test_texts_of_several_lines() -> None:
    assert prose("a: 1\n\tb: 2\r\n") == "a: 1\n\tb: 2\r\n"
    for bad in (*BAD, HALF):
        with pytest.raises(ValueError, match="control characters"):
            prose(bad)


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x1b", "\x1bP", "\x1b[1;", "\x9b", "\r"])
def test_a_megabyte_of_beginnings_is_cleaned_in_one_pass(piece: str) -> None:
    text = cleaned(piece * (2**20 // len(piece)))
    assert "\x1b" not in text
    assert "\r" not in text


def test_metadata_of_thousands_of_pairs_is_not_read(tus: Tus, slug: str) -> None:
    value = base64.b64encode(b"x").decode()
    headers = {"Upload-Length": "1", "Upload-Metadata": ",".join([f"k {value}"] * 2_000)}
    answer = tus.http.post(f"/challenges/{slug}/uploads", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_metadata")
    assert len(answer.content) < 600


@pytest.mark.parametrize(
    "email", ["a\x9b1m@example.org", "a\0@example.org", "\u202ea@example.org", "a\x7f@b"]
)
def test_an_address_with_control_characters_is_refused(nobody: httpx.Client, email: str) -> None:
    body = {"email": email, "name": "Ada", "password": "long enough to be one"}
    answer = nobody.post("/accounts", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "email: has to be one line of text without control characters"
