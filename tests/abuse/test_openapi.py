"""Whether the API's description is a valid one, and true: refusals that nobody documents are met by clients unprepared.

Statuses and codes are read from the code. Here a few operations are held against what they are known to answer, and
everything is held against the rules of OpenAPI 3.0.
"""

import json
from typing import Any

import httpx
import pytest
import schemathesis

from contract.problems import ErrorCode
from server.app import create_app
from server.errors import Conflict, NotFound
from server.refusals import refusals
from server.settings import Settings
from tests.server.conftest import Clients, Person

Json = dict[str, Any]
API = "/api/v1"


@pytest.fixture(scope="module")
def description(settings: Settings) -> Json:
    return create_app(settings).openapi()


def _refusals(description: Json, method: str, path: str) -> dict[int, list[str]]:
    found = {}
    for status, answer in description["paths"][path][method]["responses"].items():
        if "application/problem+json" in answer.get("content", {}):
            schema = answer["content"]["application/problem+json"]["schema"]
            found[int(status)] = schema["allOf"][1]["properties"]["code"]["enum"]
    return found


def test_the_description_is_valid(description: Json) -> None:
    schemathesis.openapi.from_dict(description).validate()
    for path, methods in description["paths"].items():
        named = {part[1:-1] for part in path.split("/") if part.startswith("{") and part.endswith("}")}
        named |= {"phase"} if path.endswith("{phase}.csv") else set()
        for method, operation in methods.items():
            declared = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert declared == named, f"{method} {path}"
            assert all(one["name"].lower() != "content-type" for one in operation.get("parameters", ()))


def test_what_run_workers_call_stands_in_one_place(description: Json) -> None:
    for path, methods in description["paths"].items():
        if path.startswith(f"{API}/worker/"):
            assert {tuple(one["tags"]) for one in methods.values()} == {("run workers",)}, path


def test_every_operation_says_what_it_refuses(description: Json) -> None:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            found = _refusals(description, method, path)
            assert "internal_error" in found[500], f"{method} {path}"
            assert 413 in found or 503 in found, f"{method} {path}: what stands before all is missing"
            assert (401 in found) == (
                "security" in operation
                or path.endswith(
                    (
                        "/sessions",
                        "/password-resets",
                        "/address-verifications",
                        "/registry/token",
                        "/registry/events",
                    )
                )
            )
            if operation.get("parameters") or "requestBody" in operation:
                assert "invalid_request" in found[422], f"{method} {path}"
    text = json.dumps(description)
    assert "HTTPValidationError" not in text
    assert "propertyNames" not in text


def test_refusals_of_operations_that_are_known(description: Json) -> None:
    submit = _refusals(description, "post", f"{API}/challenges/{{slug}}/submissions")
    assert {"not_signed_in", "token_expired", "token_revoked", "invalid_token"} <= set(submit[401])
    assert {"team_disqualified", "scope_missing"} <= set(submit[403])
    assert "idempotency_key_reused" in submit[409]
    assert "quota_spent" in submit[429]
    upload = _refusals(description, "patch", f"{API}/uploads/{{upload_id}}")
    assert {404, 408, 409, 410, 412, 413, 415, 423, 507} <= set(upload)
    assert "upload_locked" in upload[423]
    queue = _refusals(description, "get", f"{API}/admin/evaluations")
    assert {"unknown_challenge", "unknown_phase", "unknown_track", "unknown_task"} <= set(queue[404])


def test_who_is_asked_for_a_token(description: Json) -> None:
    token = {"HTTPBearer": []}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            needed = operation.get("security")
            if path.startswith((f"{API}/admin/", f"{API}/worker/")):
                assert needed == [token], f"{method} {path}"
            if "/leaderboards/" in path:
                assert needed == [{}, token], f"{method} {path}"


def test_what_is_not_json_is_described_as_what_it_is(description: Json) -> None:
    def kinds(method: str, path: str, status: str) -> set[str]:
        return set(description["paths"][API + path][method]["responses"][status].get("content", {}))

    assert kinds("get", "/challenges/{slug}/leaderboards/{phase}.csv", "200") == {"text/csv"}
    assert kinds("get", "/worker/leases/{case_run}/blobs/{digest}", "200") == {"application/octet-stream"}
    assert kinds("get", "/worker/leases/{case_run}/inputs/{key}", "200") == {"application/gzip"}
    assert kinds("head", "/uploads/{upload_id}", "200") == set()
    for method, path in (("patch", "/uploads/{upload_id}"), ("options", "/uploads/{upload_id}")):
        assert kinds(method, path, "204") == set()
    bytes_of = description["paths"][f"{API}/uploads/{{upload_id}}"]["patch"]["requestBody"]["content"]
    assert set(bytes_of) == {"application/offset+octet-stream"}


def _endpoint(code: ErrorCode) -> None:
    raise NotFound(code, "Its code is nowhere named.")


def _helper() -> Conflict:
    return Conflict(ErrorCode.NOTHING_TO_RUN, "As the helper says.")


def test_a_code_that_is_computed_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one that a new function makes: it cannot be left out of the description."""
    from fastapi.dependencies.models import Dependant

    monkeypatch.setattr("server.refusals._PACKAGE", "tests")
    assert refusals(Dependant(call=_helper)) == {(409, "nothing_to_run")}
    with pytest.raises(TypeError, match="name the ErrorCode of this NotFound"):
        refusals(Dependant(call=_endpoint))


@pytest.mark.parametrize("body", [b"{", b"[" * 40, b"\xff\xfe", b"not json"])
@pytest.mark.parametrize("path", ["/tokens", "/me/password", "/admin/workers", "/worker/heartbeat"])
def test_who_has_no_token_hears_of_that_first(nobody: httpx.Client, path: str, body: bytes) -> None:
    answer = nobody.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_of_another_kind_is_refused_before_the_body(
    clients: Clients, captain: Person, nobody: httpx.Client
) -> None:
    kinds = {"Content-Type": "application/json"}
    assert captain.http.post("/tokens", content=b"{", headers=kinds).status_code == 422
    assert captain.http.post("/admin/workers", content=b"{", headers=kinds).json()["code"] == "admins_only"
    assert (
        captain.http.post("/worker/heartbeat", content=b"{", headers=kinds).json()["code"] == "not_a_worker"
    )
    assert (
        clients("prs_unknown").post("/tokens", content=b"{", headers=kinds).json()["code"] == "invalid_token"
    )
    assert nobody.post("/sessions", content=b"{", headers=kinds).json()["code"] == "invalid_request"


def test_bytes_of_an_upload_without_a_token_are_refused_for_that(nobody: httpx.Client) -> None:
    answer = nobody.patch("/uploads/00000000-0000-0000-0000-000000000000", content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_a_method_that_is_not_there_is_told_all_that_are(nobody: httpx.Client) -> None:
    for path, methods in (
        ("/tokens", "GET, POST"),
        ("/challenges/x/uploads", "OPTIONS, POST"),
        ("/me", "GET"),
    ):
        answer = nobody.request("TRACE", path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, methods)
