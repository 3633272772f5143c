"""Lists of those who have much: the database is not asked more often for more, and no answer grows for ever."""

import http.server
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update

from client.api import Client
from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.queue import places
from server.submissions.models import Submission
from tests.abuse.boards import watched
from tests.server.conftest import Person, Tus
from tests.server.lab import Entrant, Json, Lab
from tests.server.test_leaderboard import scored

MakePerson = Callable[..., Person]
MakeEntrant = Callable[[str], Entrant]


@pytest.fixture(autouse=True)
def _no_look_at_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process looks at the queue from time to time, whoever asks; submitting has made it look."""
    monkeypatch.setattr(places, "LOOK_SECONDS", 1e12)
    monkeypatch.setattr(places, "AGAIN_SECONDS", 1e12)


def more(lab: Lab, team: Entrant, person: MakePerson, admin: Person, fomo26: Challenge, cases: int) -> Json:
    """Some more of everything that lists show; what the addresses of single things are filled with."""
    name = uuid4().hex[:8]
    public = lab.dataset("task5", cases=cases, phase="sanity")
    evaluation = team.submit(phase="sanity")
    with unit_of_work(lab.sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": f"other-{name}"}), actor="tests")
    upload = Tus(team.http).begin(lab.slug, name.encode())
    worker = lab.worker(name)
    lease = worker.take()
    ended = team.submit(phase="sanity")
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Evaluation).where(Evaluation.id == UUID(ended)).values(status="errored"))
    scored(lab, team, 0.5, phase="sanity")
    person(f"Person {name}").http.post(f"/challenges/{lab.slug}/teams", json={"name": f"Team {name}"})
    for one in (team.http, admin.http):
        one.post("/tokens", json={"name": name, "scopes": ["read"]})
    document = {"title": "Rules", "text": name, "document": f"rules-{cases}"}
    digest = admin.http.post(f"/organize/{lab.slug}/agreements", json=document).json()["digest"]
    team.http.post(f"/challenges/{lab.slug}/agreements/{digest}/accept")
    team.http.post(f"/challenges/{lab.slug}/questions", json={"text": name})
    admin.http.post(f"/organize/{lab.slug}/announcements", json={"text": name})
    code = team.http.post(f"/teams/{team.team}/invitations").json()["code"]
    person(f"Member {name}").http.post(f"/invitations/{code}/accept")
    team.http.post(f"/teams/{team.team}/invitations")
    with lab.sessions() as session:
        case = session.scalar(select(CaseRun.id).where(CaseRun.evaluation_id == UUID(evaluation)).limit(1))
        host = session.get_one(CaseRun, UUID(lease["case_run"])).worker_id
    return {
        "case_id": case,
        "worker_id": host,
        "slug": lab.slug,
        "team_id": team.team,
        "user_id": team.http.get("/me").json()["id"],
        "evaluation_id": evaluation,
        "id_": evaluation,
        "submission_id": submission_of(team, evaluation),
        "dataset_id": public,
        "upload_id": upload.rpartition("/")[2],
        "phase": "sanity",
        "board": "task5",
        "digest": digest,
        "reevaluation_id": uuid4(),
        "consignment_id": uuid4(),
        "plane": "axial",
        "number": 1,
        "what": "reference",
    }


def submission_of(team: Entrant, evaluation: str) -> UUID:
    listed = team.http.get(f"/challenges/{team.slug}/submissions").json()
    return next(UUID(one["id"]) for one in listed if one["evaluations"][0]["id"] == evaluation)


def asked_for(
    description: Json, known: Json, team: Entrant, admin: Person, sessions: SessionFactory
) -> dict[str, int]:
    """How many statements each GET of the API needs, by whoever may see most."""
    found = {}
    for path, methods in description["paths"].items():
        if "get" not in methods or "/worker/" in path:
            continue
        address = path.removeprefix("/api/v1").format(**known)
        for asker, who in ((team.http, "team"), (admin.http, "admin")):
            with watched(sessions) as asked:
                params = {"seconds": 0} if address.endswith("/events") else {}  # streams would go on
                if asker.get(address, params=params).status_code == 200:
                    found[f"{path} {who}"] = len(asked.said)
    return found


def test_no_list_asks_the_database_more_often_for_more(
    lab: Lab, team: Entrant, person: MakePerson, admin: Person, fomo26: Challenge, nobody: httpx.Client
) -> None:
    address = str(nobody.base_url).removesuffix("/api/v1/")
    description = httpx.get(f"{address}/api/v1/openapi.json", timeout=60).json()
    few = asked_for(description, more(lab, team, person, admin, fomo26, 2), team, admin, lab.sessions)
    for number in range(4):
        known = more(lab, team, person, admin, fomo26, 3 + number)
    many = asked_for(description, known, team, admin, lab.sessions)
    assert set(few) == set(many)
    assert len(few) > 30
    grown = {path: (few[path], many[path]) for path in few if many[path] > few[path]}
    assert grown == {}, sorted(grown.items())
    # Two dozen questions of their own, some about each phase; and screens of all of a thing, and of everything.
    whole = {
        "/api/v1/organize/{slug}/check admin": 45,
        "/api/v1/admin/show/{id_} admin": 32,
        "/api/v1/admin/status admin": 30,
    }
    assert {path: count for path, count in many.items() if count > whole.get(path, 25)} == {}


def test_sixty_submissions_cost_the_statements_of_one(lab: Lab, team: Entrant) -> None:
    lab.dataset("task5", cases=1, phase="sanity")
    address, counts = f"/challenges/{lab.slug}/submissions", []
    for wanted, further in ((1, 1), (60, 59)):
        for _ in range(further):
            team.submit(phase="sanity")
        with watched(lab.sessions) as asked:
            assert len(team.http.get(address, params={"limit": 100}).json()) == wanted
        counts.append(len(asked.said))
    assert counts[0] == counts[1] <= 16


def test_a_challenge_s_page_counts_what_waits_and_reads_none_of_it(
    lab: Lab, team: Entrant, nobody: httpx.Client
) -> None:
    lab.dataset("task5", cases=1, phase="sanity")
    address, asked_before = f"{str(nobody.base_url).removesuffix('/api/v1/')}/challenges/{lab.slug}", []
    for wanted in (1, 12):
        for _ in range(wanted - len(asked_before)):
            team.submit(phase="sanity")
        with watched(lab.sessions) as asked:
            shown = httpx.get(address).text
        assert f"{12 if asked_before else 1} evaluation" in shown
        assert "Waits: no worker is there" in shown
        asked_before.append(len(asked.said))
        assert asked.about("SELECT evaluations.id") <= 1, "what is scored, for who leads"
    assert asked_before[0] >= asked_before[1], "the board is made once, and kept"


def test_a_team_s_submissions_come_page_by_page_each_once(lab: Lab, team: Entrant, stranger: Person) -> None:
    lab.dataset("task5", cases=1, phase="sanity")
    sent = [team.post("task5", phase="sanity").json()["id"] for _ in range(7)]
    address, found = f"/challenges/{lab.slug}/submissions", []
    page = team.http.get(address, params={"limit": 3}).json()
    while page:
        assert len(page) <= 3
        found += [one["id"] for one in page]
        page = team.http.get(address, params={"limit": 3, "before": found[-1]}).json()
    assert found == sent[::-1]
    refused = team.http.get(address, params={"before": str(uuid4())})
    others = stranger.http.get(address, params={"before": sent[0]})
    assert refused.status_code == others.status_code == 404
    assert others.json()["code"] == "unknown_submission"
    for limit in (0, -1, 101, 10**9):
        assert team.http.get(address, params={"limit": limit}).status_code == 422


def test_nobody_gets_more_than_a_page_and_the_command_reads_all_pages(
    lab: Lab, team: Entrant, nobody: httpx.Client
) -> None:
    first = team.post("task5").json()["id"]
    copies(lab, first, 130)
    assert len(team.http.get(f"/challenges/{lab.slug}/submissions").json()) == 50
    address = str(nobody.base_url).removesuffix("/api/v1/")
    token = team.http.headers["Authorization"].removeprefix("Bearer ")
    with Client(address, token=token) as client:
        found = client.submissions(lab.slug, team.team)
        newest = client.newest_submission(lab.slug, team.team)
    assert len({one.id for one in found}) == len(found) == 131
    assert newest is not None
    assert newest.id == found[0].id
    assert found[-1].id == first


def copies(lab: Lab, submission: str, count: int) -> None:
    """Later submissions of the same team, without evaluations."""
    with unit_of_work(lab.sessions) as session:
        one = session.get_one(Submission, UUID(submission))
        for number in range(count):
            session.add(
                Submission(
                    challenge_id=one.challenge_id,
                    team_id=one.team_id,
                    created_by=one.created_by,
                    created_at=one.created_at + timedelta(seconds=number // 2 + 1),
                    track=one.track,
                    phase=one.phase,
                    images=one.images,
                    idempotency_key=f"copy {number}",
                )
            )


def test_the_command_reads_a_server_that_knows_no_pages() -> None:
    row = {"challenge": "c", "team": "t", "track": "open", "phase": "p", "created_at": "2026-01-01T00:00:00Z"}
    content = [{"id": str(UUID(int=number)), "evaluations": [], **row} for number in range(200)]

    class Older(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Older) as server:
        threading.Thread(target=server.serve_forever).start()
        with Client(f"http://127.0.0.1:{server.server_port}", token="t") as client:
            assert len(client.submissions("c", "t")) == 200
        server.shutdown()
