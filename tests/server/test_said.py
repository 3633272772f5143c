"""No text that participants will read names a hidden case, whoever writes it and wherever."""

from collections.abc import Callable

import httpx
import pytest

from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab

Writes = Callable[[Lab, Person, Entrant, str], httpx.Response]


def _announce(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    return admin.http.post(f"/organize/{lab.slug}/announcements", json={"text": text})


def _answer(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    asked = team.http.post(f"/challenges/{lab.slug}/questions", json={"text": "Why?"}).json()["id"]
    return admin.http.post(f"/organize/{lab.slug}/questions/{asked}/answer", json={"answer": text})


def _close(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    asked = team.http.post(f"/challenges/{lab.slug}/questions", json={"text": "Why?"}).json()["id"]
    return admin.http.post(f"/organize/{lab.slug}/questions/{asked}/close", json={"why": text})


def _cancel(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    return admin.http.post(f"/admin/evaluations/{team.submit()}/cancel", json={"why": text})


def _disqualify(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    path = f"/organize/{lab.slug}/teams/{team.team}/decisions"
    return admin.http.post(path, json={"decision": "disqualify", "why": text})


def _grant(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    where = {"phase": "validation", "track": "open", "task": "task5"}
    path = f"/organize/{lab.slug}/teams/{team.team}/grants"
    return admin.http.post(path, json={**where, "valid": 1, "why": text})


def _extend(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    path = f"/organize/{lab.slug}/phases/validation/dates"
    return admin.http.post(path, json={"closes": "2031-01-01T00:00:00Z", "why": text})


def _draft(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    team.submit()
    body = {"mode": "rerun", "why": text, "scope": {"tasks": ["task5"]}}
    return admin.http.post(f"/organize/{lab.slug}/reevaluations", json=body)


def _publish(lab: Lab, admin: Person, team: Entrant, text: str) -> httpx.Response:
    body = {"document": "rules", "title": "Rules", "text": text}
    return admin.http.post(f"/organize/{lab.slug}/agreements", json=body)


WRITES: dict[str, Writes] = {
    "announcement": _announce,
    "answer": _answer,
    "closing": _close,
    "cancelling": _cancel,
    "decision": _disqualify,
    "attempts": _grant,
    "dates": _extend,
    "re-evaluation": _draft,
    "document": _publish,
}


@pytest.mark.parametrize("what", WRITES)
def test_a_text_for_participants_that_names_a_hidden_case_is_refused(
    lab: Lab, admin: Person, team: Entrant, what: str
) -> None:
    lab.dataset(cases=3)
    refused = WRITES[what](lab, admin, team, "The label of SUB-01 was wrong.")
    assert (refused.status_code, refused.json()["code"]) == (422, "names_a_case"), refused.text
    assert refused.json()["word"] == "sub-01"
    assert "sub-01 is the name of a hidden case" in refused.json()["detail"]
    assert "sub-01" not in team.http.get(f"/challenges/{lab.slug}").text


@pytest.mark.parametrize(
    "text",
    [
        "One label was wrong.",
        "sub-017 is no case.",
        "of 9b6f95a9-5967-4d25-91be-b5cb8bf8315f",
        "presub-01",
        "Cases 1 and 2.",
    ],
)
def test_what_only_looks_like_a_name_is_sent(lab: Lab, admin: Person, team: Entrant, text: str) -> None:
    lab.dataset(cases=3)
    assert _announce(lab, admin, team, text).status_code == 201


def test_the_names_of_public_cases_alone_may_be_told(lab: Lab, admin: Person, team: Entrant) -> None:
    lab.dataset(cases=3, phase="sanity")
    assert _announce(lab, admin, team, "sub-99 of sanity").status_code == 201
