"""Challenge files over HTTP: planned and applied by admins only, and refused without a trace where they are wrong."""

import json
import re

import httpx
import yaml
from sqlalchemy import func, select

from evaluator.spec import Challenge
from server.challenges.models import SpecVersion
from server.database import SessionFactory, unit_of_work
from server.events import Event
from tests.evaluator.test_spec_fuzz import drawn
from tests.server.conftest import Person

JSON = {"Content-Type": "application/json"}


def count(sessions: SessionFactory) -> tuple[int, int]:
    with unit_of_work(sessions) as session:
        versions = session.scalar(select(func.count()).select_from(SpecVersion))
        return versions or 0, session.scalar(select(func.count()).select_from(Event)) or 0


def text_of(spec: Challenge, slug: str) -> str:
    return yaml.safe_dump(spec.model_dump(mode="json") | {"challenge": slug}, sort_keys=False)


def test_admins_plan_and_apply_over_http_and_nobody_else_does(
    sessions: SessionFactory,
    slug: str,
    fomo26: Challenge,
    admin: Person,
    captain: Person,
    nobody: httpx.Client,
) -> None:
    body = {"file": text_of(fomo26, slug), "overlay": "phases: {test: {board: public}}"}
    for path in ("/admin/challenges/plan", "/admin/challenges"):
        assert nobody.post(path, json=body).status_code == 401
        assert captain.http.post(path, json=body).status_code == 403
    before = count(sessions)
    seen = admin.http.post("/admin/challenges/plan", json=body)
    assert seen.status_code == 200
    assert [one["field"] for one in seen.json()["changes"]] == ["phases.test.board"]
    refused = admin.http.post("/admin/challenges", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "needs_confirmation")
    assert refused.json()["questions"] == seen.json()["questions"]
    assert count(sessions) == before
    done = admin.http.post("/admin/challenges", json=body | {"confirmed": True})
    assert (done.status_code, done.json()["changed"]) == (200, True)
    again = admin.http.post("/admin/challenges", json=body)
    assert (again.json()["changed"], again.json()["plan"]["changes"]) == (False, [])


def test_a_file_that_is_wrong_changes_nothing_and_is_answered_by_line_and_field(
    sessions: SessionFactory, slug: str, fomo26: Challenge, admin: Person
) -> None:
    before = count(sessions)
    body = {"file": text_of(fomo26, slug), "overlay": "limits:\n  memory: 64\n"}
    for path in ("/admin/challenges/plan", "/admin/challenges"):
        answer = admin.http.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "challenge_file")
        (problem,) = answer.json()["problems"]
        assert (problem["file"], problem["line"], problem["field"]) == ("overlay.yaml", 2, "limits.memory")
    long = {"file": text_of(fomo26, slug), "overlay": "limits: {seconds_per_case: 90000}"}
    assert "PROCTOR_LONGEST_LEASE_SECONDS" in admin.http.post("/admin/challenges", json=long).text
    assert count(sessions) == before


def test_whatever_is_sent_is_a_plan_or_a_refusal_and_what_is_applied_has_a_page(
    sessions: SessionFactory, slug: str, admin: Person, nobody: httpx.Client
) -> None:
    site = str(nobody.base_url).removesuffix("/api/v1/")
    applied = 0
    for seed in range(45):
        file, overlay = drawn(seed)
        body = {"file": re.sub(r"(?m)^challenge: .*$", f"challenge: {slug}", file), "overlay": overlay}
        sent = json.dumps(body)
        before = count(sessions)
        seen = admin.http.post("/admin/challenges/plan", content=sent, headers=JSON)
        assert seen.status_code in (200, 422), (seed, seen.text)
        assert count(sessions) == before
        if seen.status_code == 200 and seen.json()["challenge"] == slug:
            whole = json.dumps(body | {"confirmed": True})
            assert admin.http.post("/admin/challenges", content=whole, headers=JSON).status_code == 200, seed
            assert nobody.get(f"/challenges/{slug}").status_code == 200, seed
            assert httpx.get(f"{site}/challenges/{slug}").status_code == 200, seed
            applied += 1
        elif seen.status_code == 422:
            assert seen.json()["detail"], seed
    assert applied > 3
