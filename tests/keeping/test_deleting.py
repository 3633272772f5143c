"""What `gc` says it frees is what it frees, and what erasing a person leaves leads to nobody."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import func, select, text, update

from contract.organizers import Role
from evaluator.signing import verify
from server.accounts.models import Account
from server.challenges.models import Challenge
from server.challenges.service import apply, get_challenge
from server.clock import now
from server.database import Base, unit_of_work
from server.datasets.models import Dataset
from server.evaluations.models import CaseRun
from server.evaluations.receipts import public_key
from server.notices.models import Notice
from server.organizers.models import ChallengeRole
from server.outbox.models import OutboxMessage
from server.outbox.service import enqueue_mail
from server.outbox.tries import Tried
from server.outgoing.outcomes import settle as settle_try
from server.questions.models import Question
from server.teams.models import Membership, Team
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.organizer import Admin, words
from tests.server.seeded import season_reports, settle

DOCS = Path(__file__).parents[2] / "docs"
ALL = ["logs", "datasets", "replaced", "outputs", "images"]


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text


def end(lab: Lab) -> None:
    """The only hidden phase closes."""
    with unit_of_work(lab.sessions) as session:
        spec = get_challenge(session, lab.slug).spec
        closed = spec.phases["validation"].model_copy(update={"closes": now(session) - timedelta(seconds=1)})
        phases = {"sanity": spec.phases["sanity"], "validation": closed}
        apply(session, spec.model_copy(update={"phases": phases}), actor="tests")


def stored(lab: Lab) -> dict[str, int]:
    root = lab.settings.blobs.root
    return {path.name: path.stat().st_size for path in root.glob("??/*")}


def require_certified(lab: Lab, told: Json, before: dict[str, int], certificate: Json) -> None:
    """What is gone since `before` is what the plan told, and what the certificate says and is signed for."""
    after, statement = stored(lab), certificate["statement"]
    gone = {name: size for name, size in before.items() if name not in after}
    freed = sum(item["bytes"] for item in told["items"] if item["kind"] in ("outputs", "images"))
    assert (len(gone), sum(gone.values())) == (told["blobs"], freed)
    assert (statement["blobs"], statement["bytes_of_blobs"]) == (told["blobs"], freed)
    assert statement["deleted"] == told["items"]
    assert verify(statement, certificate["signature"], public_key(lab.settings))
    assert not verify(statement | {"why": "other"}, certificate["signature"], public_key(lab.settings))


def test_the_plan_is_what_goes_and_the_certificate_says_so(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, command: Admin
) -> None:
    path, team, other = f"/organize/{lab.slug}/gc", entrant("The Team"), entrant("Others")
    lab.dataset("task1", cases=3)
    unused = lab.dataset("task2", cases=2)
    lab.dataset("task2", cases=2)
    lab.settings.references.mkdir(parents=True, exist_ok=True)
    settle(lab, team, {"task1": season_reports()["Ada"]["task1"]}, task="task1")
    with unit_of_work(lab.sessions) as session:
        session.execute(update(CaseRun).where(CaseRun.output.is_not(None)).values(log="what it wrote, ü"))

    def plan(**rules: Any) -> Json:
        answer = admin.http.get(path, params={"kinds": ALL, "days": 0} | rules)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    early = plan()
    assert [(item["kind"], item["count"]) for item in early["items"]] == [("datasets", 1)]
    assert "only once the challenge is over. Phase 'validation' has not closed." in early["kept"][0]
    end(lab)
    assert plan(days=1, kinds=["logs", "outputs"])["items"] == []
    told = plan()
    found = {item["kind"]: item for item in told["items"]}
    assert {kind: item["count"] for kind, item in found.items()} == {
        "logs": 2, "datasets": 1, "outputs": 2, "images": 2
    }  # fmt: skip
    assert found["logs"]["bytes"] == 2 * len("what it wrote, ü".encode())
    assert found["outputs"]["lost"].startswith("1 evaluation cannot be scored again")
    assert found["images"]["lost"] == "1 evaluation cannot be run again"
    assert team.image in found["images"]["things"]

    # What changed meanwhile is not deleted unseen, nor anything while a backup is made.
    wanted = {"kinds": ALL, "days": 0, "why": "The season is over", "seen": told["digest"]}
    refused(admin.http.post(path, json=wanted | {"seen": early["digest"]}), 409, "plan_changed")
    with lab.settings.blobs.still():
        refused(admin.http.post(path, json=wanted), 409, "backup_runs")
        refused(admin.http.delete(f"/admin/datasets/{unused}"), 409, "backup_runs")
    assert plan() == told

    shown = words(command("gc", lab.slug, "--kinds", ",".join(ALL), "--days", 0, "--dry-run"))
    assert "1 evaluation cannot be run again" in shown
    before = stored(lab)
    answer = admin.http.post(path, json=wanted)
    assert answer.status_code == 200, answer.text
    certificate = answer.json()
    require_certified(lab, told, before, certificate)
    assert plan()["items"] == []
    listed = admin.http.get(f"{path}/certificates").json()
    assert [one["id"] for one in listed] == [certificate["id"]]
    assert certificate["id"][:8] in words(command("gc", lab.slug, "--certificates", "--json"))
    # The team that is not of this challenge's organizers hears nothing of it.
    refused(other.http.get(path), 403, "organizers_only")
    swept = admin.http.get("/admin/gc").json()
    assert swept == admin.http.post("/admin/gc").json()


def test_an_image_that_is_being_submitted_is_not_deleted_under_the_submission(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    path, team = f"/organize/{lab.slug}/gc", entrant("The Team")
    lab.dataset("task1", cases=1, phase="sanity")
    second = lab.dataset("task2", cases=1, phase="sanity")
    end(lab)
    rules = {"kinds": ["images"], "days": 0}
    told = admin.http.get(path, params=rules).json()
    assert told["items"][0]["count"] == 1
    with ThreadPoolExecutor(2) as threads, lab.sessions() as held:
        held.scalars(select(Dataset).where(Dataset.id == second).with_for_update()).one()
        submitting = threads.submit(team.post, "task1", "task2", phase="sanity")
        blocked(lab, 1)
        wanted = rules | {"why": "The season is over", "seen": told["digest"]}
        deleting = threads.submit(admin.http.post, path, json=wanted)
        blocked(lab, 2)
        held.rollback()
        assert submitting.result(timeout=30).status_code == 201
        refused(deleting.result(timeout=30), 409, "plan_changed")


def blocked(lab: Lab, most: int) -> None:
    """Returns once so many wait for a lock of the database."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with unit_of_work(lab.sessions) as session:
            if session.scalar(text(waiting)) == most:
                return
        time.sleep(0.05)
    raise AssertionError(f"{most} transactions never waited")


def kept_in_notices(lab: Lab, words: str) -> int:
    with unit_of_work(lab.sessions) as session:
        told = func.concat_ws(" ", Notice.title, Notice.text, Notice.key)
        return session.scalar(select(func.count()).where(told.contains(words))) or 0


def require_gone(lab: Lab, eve: Person, team: str) -> None:
    """Nothing that was kept names the person, and the team that nobody is left in has a pseudonym."""
    with unit_of_work(lab.sessions) as session:
        assert session.get_one(Team, UUID(team)).name == f"Team {team[-8:]}"
        assert not session.scalar(select(func.count()).where(Membership.user_id == UUID(eve.id)))
        asked = session.scalars(select(Question).where(Question.asked_by == UUID(eve.id))).one()
        assert "Tom" not in (asked.text or "Tom")
        assert not session.scalar(select(func.count()).where(OutboxMessage.address == eve.email))
        row = session.get_one(Account, UUID(eve.id))
        assert (row.name, row.email) == ("former member", f"erased-{eve.id}@erased.invalid")
    assert kept_in_notices(lab, "Tom") == kept_in_notices(lab, eve.email) == 0


def test_an_erased_person_is_nobody_and_what_was_scored_stays(
    lab: Lab, person: Callable[..., Person], admin: Person, command: Admin, tmp_path: Path
) -> None:
    eve = person("Eve Example")
    team = lab.entrant(eve.http, "Eve Example's")
    scored = team.submit()
    ask = {"text": "Is my brother Tom allowed to help?", "task": "task5"}
    asked_id = eve.http.post(f"/challenges/{lab.slug}/questions", json=ask).json()["id"]
    answered = admin.http.post(
        f"/organize/{lab.slug}/questions/{asked_id}/answer", json={"answer": "He may."}
    )
    assert answered.status_code == 200, answered.text
    with unit_of_work(lab.sessions) as session:
        enqueue_mail(session, to=eve.email, subject="x", text="x", key=f"test:{eve.id}")
        (mail,) = session.scalars(select(OutboxMessage).where(OutboxMessage.address == eve.email))
        settle_try(session, mail, Tried("550 no such user", final=True))
    assert kept_in_notices(lab, "Tom") == 2
    assert kept_in_notices(lab, eve.email) == 1
    mine = eve.http.get("/me/export").json()
    assert (mine["account"]["email"], "password_hash" in mine["account"]) == (eve.email, False)
    assert {"memberships", "submissions", "questions", "api_tokens"} <= mine["rows"].keys()
    assert not [row for rows in mine["rows"].values() for row in rows for name in row if "hash" in name]
    assert any(act["subject"] == "submission" for act in mine["acts"])
    told = words(command("person", eve.email, "--export", tmp_path / "eve.json"))
    assert "everything that is kept" in told
    assert json.loads((tmp_path / "eve.json").read_text())["rows"] == mine["rows"]
    # Not the only organizer, nor somebody else.
    with unit_of_work(lab.sessions) as session:
        challenge = session.scalars(select(Challenge).where(Challenge.slug == lab.slug)).one()
        role = ChallengeRole(
            challenge_id=challenge.id, user_id=UUID(eve.id), role=Role.ORGANIZER, named_by="tests"
        )
        session.add(role)
    alone = command("person", eve.email, "--erase", "--why", "asked", "--yes")
    assert (alone.exit_code, "Name another one first" in words(alone)) == (1, True)
    with unit_of_work(lab.sessions) as session:
        session.delete(session.merge(role))
    other = {"email": admin.email, "why": "asked"}
    refused(admin.http.post(f"/admin/users/{eve.id}/erasure", json=other), 409, "other_address")
    refused(admin.http.get(f"/admin/users/{admin.id}/erasure"), 409, "last_admin")

    plan = words(command("person", eve.email, "--team-names", "pseudonym"))
    assert "memberships.user_id" in plan
    assert "Nobody is left in Eve Example's" in plan
    done = command(
        "person", eve.email, "--erase", "--team-names", "pseudonym", "--why", "they asked for it", "--yes"
    )
    assert (done.exit_code, "is erased" in words(done)) == (0, True), done.output
    refused(eve.http.get("/me"), 401, "invalid_token")
    refused(admin.http.post(f"/admin/users/{eve.id}/reopen"), 409, "erased")
    assert admin.http.get(f"/admin/evaluations/{scored}").status_code == 200
    require_gone(lab, eve, team.team)
    again = admin.http.post(
        "/accounts", json={"email": eve.email, "name": "Eve", "password": "a new password of hers"}
    )
    assert again.status_code == 201, "the address is nobody's"


def test_every_column_that_names_people_is_on_the_page() -> None:
    page = (DOCS / "privacy.md").read_text()
    columns = {
        str(column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table.name == "users"
    }
    assert {column for column in columns if f"`{column}`" not in page} == set()
