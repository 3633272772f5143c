"""Answers that grow with what participants do: each has a bound, and what is beyond it is reached page by page."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import update

from client.api import Client
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.evaluations.cases import LOG_END
from server.evaluations.models import CaseRun
from server.images.models import Image
from server.settings import Settings
from tests.facts import image_facts
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab

Json = dict[str, Any]

CASES = 230
LOG = "é" * 999_990 + "the end.\n\n"


def _noisy(lab: Lab, team: Entrant, *, cases: int, logs: int) -> str:
    """An evaluation of a public phase whose first cases have logs of a million characters."""
    lab.dataset(phase="sanity", cases=cases)
    evaluation = team.submit(phase="sanity")
    with unit_of_work(lab.sessions) as session:
        first = CaseRun.evaluation_id == UUID(evaluation), CaseRun.position < logs
        session.execute(update(CaseRun).where(*first).values(log=LOG))
    return evaluation


def test_a_list_of_cases_with_large_logs_is_small_and_one_case_has_all_of_its_log(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    evaluation = _noisy(lab, team, cases=12, logs=12)
    for http, where in ((team.http, "/evaluations"), (admin.http, "/admin/evaluations")):
        answer = http.get(f"{where}/{evaluation}/cases")
        assert answer.status_code == 200
        assert len(answer.content) < 12 * (4 * LOG_END + 2_000)
        shown = answer.json()[3]
        assert shown["log_length"] == len(LOG)
        assert shown["log"] == LOG[-LOG_END:]
        whole = http.get(f"{where}/{evaluation}/cases/{shown['id']}")
        assert whole.json() == {**shown, "log": LOG}


def test_cases_come_page_by_page_in_their_order(
    lab: Lab, team: Entrant, served: tuple[str, SessionFactory]
) -> None:
    evaluation = _noisy(lab, team, cases=CASES, logs=0)
    every: list[Json] = []
    while True:
        after = {"after": every[-1]["id"]} if every else {}
        page = team.http.get(f"/evaluations/{evaluation}/cases", params={"limit": 90, **after}).json()
        every += page
        if len(page) < 90:
            break
    assert [one["id"] for one in every] == [str(run.id) for run in lab.runs(evaluation)]
    assert len(team.http.get(f"/evaluations/{evaluation}/cases").json()) == 100
    assert team.http.get(f"/evaluations/{evaluation}/cases", params={"limit": 201}).status_code == 422
    token = team.http.headers["Authorization"].removeprefix("Bearer ")
    with Client(served[0], token) as client:
        found = client.cases(evaluation)
        assert [one.id for one in found] == [one["id"] for one in every]
        assert client.case(evaluation, found[7].id).case == found[7].case


def test_another_evaluation_s_case_is_none_of_this_one(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    mine, theirs = entrant("Mine"), entrant("Theirs")
    lab.dataset(phase="sanity", cases=2)
    own, other = mine.submit(phase="sanity"), theirs.submit(phase="sanity")
    foreign = lab.runs(other)[0].id
    for case in (foreign, uuid4()):
        answer = mine.http.get(f"/evaluations/{own}/cases/{case}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_case")
        assert admin.http.get(f"/admin/evaluations/{own}/cases/{case}").status_code == 404
        assert mine.http.get(f"/evaluations/{own}/cases", params={"after": str(case)}).json() == []
    assert mine.http.get(f"/evaluations/{other}/cases/{foreign}").json()["code"] == "unknown_evaluation"


def test_one_hidden_case_is_shown_to_nobody(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    answer = team.http.get(f"/evaluations/{evaluation}/cases/{lab.runs(evaluation)[0].id}")
    assert (answer.status_code, answer.json()["code"]) == (403, "hidden_cases")


LISTS_OF_FEW = {
    "/api/v1/me/identities": "20 at most",
    "/api/v1/challenges/{slug}/agreements": "the present version of each of 10 documents at most",
    "/api/v1/organize/{slug}/agreements": "200 versions at most",
    "/api/v1/tokens": "100 valid tokens at most; those that were revoked are not listed",
    "/api/v1/challenges": "an admin makes each",
    "/api/v1/teams/{team_id}/invitations": "20 open ones at most",
    "/api/v1/teams/{team_id}/uploads": "the latest 100",
    "/api/v1/teams/{team_id}/webhooks": "5 at most",
    "/api/v1/organize/{slug}/webhooks": "5 at most",
    "/api/v1/admin/webhooks": "5 at most",
    "/api/v1/sessions": "the oldest of more than 20 ends",
    "/api/v1/challenges/{slug}/quota": "a row per phase, track and task of the challenge file",
    "/api/v1/receipts/keys": "one more each time the secret key is replaced",
    "/api/v1/organize/{slug}/organizers": "100 roles in a challenge at most",
    "/api/v1/admin/workers": "an admin makes each",
    "/api/v1/admin/workers/{worker_id}/answered": "a row per evaluation of which it answered cases",
    "/api/v1/admin/queue": "the first 1,000",
    "/api/v1/admin/slots": "those of run workers, which an admin lets in",
    "/api/v1/admin/challenges/{slug}/datasets": "an admin imports each",
    "/api/v1/organize/{slug}/reference-submissions": "a row per phase and task of the challenge file",
}


def test_every_list_has_a_limit_or_a_reason_to_be_short(settings: Settings) -> None:
    description = create_app(settings).openapi()
    for path, methods in description["paths"].items():
        if (operation := methods.get("get")) is None:
            continue
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        if content.get("schema", {}).get("type") == "array":
            limits = [one for one in operation.get("parameters", ()) if one["name"] == "limit"]
            assert limits or path in LISTS_OF_FEW, path
            assert all(one["schema"]["maximum"] <= 200 for one in limits), path


def test_images_come_page_by_page(lab: Lab, team: Entrant) -> None:
    with unit_of_work(lab.sessions) as session:
        for number in range(130):
            facts = image_facts(f"sha256:{number:064x}")
            session.add(Image(team_id=UUID(team.team), digest=facts.digest, facts=facts, size=1))
    first = team.http.get(f"/teams/{team.team}/images").json()
    assert len(first) == 100
    rest = team.http.get(f"/teams/{team.team}/images", params={"after": first[-1]["id"]}).json()
    assert len({one["id"] for one in (*first, *rest)}) == 131


def test_a_revoked_token_is_not_listed_for_ever(captain: Person) -> None:
    for _ in range(3):
        made = captain.http.post("/tokens", json={"name": "again", "scopes": ["read"]}).json()
        assert captain.http.delete(f"/tokens/{made['id']}").status_code == 204
    assert captain.http.get("/tokens").json() == []


def test_a_file_for_a_worker_is_sent_whole_whatever_part_is_asked_for(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    where = f"/worker/leases/{lease['case_run']}/inputs/t1w"
    params = {"claim_no": lease["claim_no"]}
    whole = worker.http.get(where, params=params)
    for part in (
        "bytes=0-3",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 2_000, 2)),
        "bytes=9-1",
        "lines=1",
    ):
        answer = worker.http.get(where, params=params, headers={"Range": part})
        assert (answer.status_code, answer.content) == (200, whole.content), part
