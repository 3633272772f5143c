"""Anything is found by name, id or digest, shown on one screen, and the installation stands on another."""

import subprocess
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
from sqlalchemy import select

from contract.release import commit, release
from server.accounts.models import Account
from server.addresses import mails
from server.database import unit_of_work
from server.datasets.models import Dataset
from server.evaluations.models import CaseRun, Evaluation
from server.images.models import Image
from server.submissions.models import Submission
from tests.abuse.test_lists import MakePerson, submission_of
from tests.server.conftest import PASSWORD, Person
from tests.server.lab import Json, Lab
from tests.server.test_bases import MakeEntrant
from tests.server.test_leaderboard import scored


def found(person: Person, text: str, **more: int) -> Json:
    answer = person.http.get("/admin/find", params={"q": text, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def kinds(person: Person, text: str) -> set[tuple[str, str]]:
    return {(item["kind"], item["id"]) for item in found(person, text)["items"]}


def shown(person: Person, id_: object) -> Json:
    answer = person.http.get(f"/admin/show/{id_}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def role(lab: Lab, admin: Person, who: Person) -> None:
    body = {"email": who.email, "role": "observer", "yes": True}
    answer = admin.http.put(f"/organize/{lab.slug}/organizers", json=body)
    assert answer.is_success, answer.text


def test_anything_is_found_by_name_id_and_digest_where_one_may_see_it(
    lab: Lab, entrant: MakeEntrant, person: MakePerson, admin: Person
) -> None:
    name = f"Seekers {uuid4().hex[:8]}"
    lab.dataset(cases=2)
    team = entrant(name)
    evaluation = scored(lab, team, 0.5)
    submission = str(submission_of(team, evaluation))
    with lab.sessions() as session:
        image = session.scalars(select(Image).where(Image.digest == team.image)).one()
        run = session.scalars(select(CaseRun).where(CaseRun.evaluation_id == UUID(evaluation))).first()
        dataset = session.scalars(select(Dataset).where(Dataset.folder.startswith(lab.slug))).first()
    assert run is not None
    assert dataset is not None
    observer, other = person(), person()
    role(lab, admin, observer)
    assert other.http.get("/admin/find", params={"q": name}).status_code == 403
    for who in (admin, observer):
        assert ("team", team.team) in kinds(who, name.lower())
        assert ("submission", submission) in kinds(who, submission)
        assert kinds(who, evaluation) == {("evaluation", evaluation)}
        assert kinds(who, str(run.id).replace("-", "")) == {("case_run", str(run.id))}
        assert kinds(who, team.image) == {("image", str(image.id))}
        assert ("image", str(image.id)) in kinds(who, team.image[7:20].upper())
        assert ("image", str(image.id)) in kinds(who, image.facts.layers[0]), "by a blob of it"
        assert ("dataset", str(dataset.id)) in kinds(who, dataset.digest)
    worker = lab.worker()
    worker.lease()
    with lab.sessions() as session:
        host = session.scalar(select(CaseRun.worker_id).where(CaseRun.id == run.id))
    assert ("worker", str(host)) not in kinds(observer, str(host))
    assert kinds(observer, admin.email) == set(), "people of no team of the challenge are not theirs to find"
    assert ("user", str(_account(lab, admin.email))) in kinds(admin, admin.email)
    assert admin.http.get("/admin/find", params={"q": "x"}).json()["code"] == "nothing_to_find"
    entrant(f"{name} again")
    assert "2 newest" not in (found(admin, name, limit=2)["sentence"] or "")
    assert "more teams" in found(admin, name, limit=1)["sentence"]


def _account(lab: Lab, email: str) -> UUID | None:
    with lab.sessions() as session:
        return session.scalar(select(Account.id).where(Account.email == email))


def test_one_screen_tells_all_of_a_thing_and_what_its_team_may_be_told(
    lab: Lab, entrant: MakeEntrant, person: MakePerson, admin: Person
) -> None:
    lab.dataset(cases=3)
    team = entrant("Shown")
    evaluation = team.submit()
    submission = str(submission_of(team, evaluation))
    lab.worker().drain(fault="exit_code")
    observer = person()
    role(lab, admin, observer)
    told = shown(observer, evaluation)
    facts = {fact["head"]: fact["said"] for fact in told["facts"]}
    assert facts["status"].startswith("rejected")
    assert "0 spent" in facts["attempts"]
    assert "other team" in facts["others"]
    names = [case["name"] for case in told["evaluation"]["cases"]]
    assert names == ["sub-00", "sub-01", "sub-02"] or set(names) == {"sub-00", "sub-01", "sub-02"}
    assert {"submission", "image"} <= {item["kind"] for item in told["related"]}
    assert any("queued" in event["what"] for event in told["happened"])
    assert evaluation in told["participant"]
    assert not [name for name in names if name in told["participant"]], "no name of a hidden case"
    pseudonyms = [case["case"] for case in told["evaluation"]["cases"]]
    assert not [name for name in pseudonyms if name in told["participant"]]
    assert any(act.startswith("proctor-admin excuse") for act in told["acts"])
    with unit_of_work(lab.sessions) as session:
        submitted = session.get_one(Submission, UUID(submission))
        submitted.source_commit, submitted.source_clean = "a" * 40, False
    of_all = shown(admin, submission)
    assert submission in of_all["logs"]
    said = f"commit {'a' * 40}, its tree was not clean, as the team says"
    assert {"head": "made of", "said": said} in of_all["facts"]
    viewed = admin.http.get("/admin/events", params={"id": evaluation}).json()["items"]
    assert [event["what"] for event in viewed].count("viewed") == 1
    for subject, id_ in (("team", team.team), ("submission", submission)):
        assert shown(observer, id_)["kind"] == subject
    for item in told["related"]:
        assert shown(observer, item["id"])["id"] == item["id"]
    with unit_of_work(lab.sessions) as session:
        row = session.get_one(Evaluation, UUID(evaluation))
        image, cases, version, run = row.image_id, row.dataset_id, row.challenge_id, row.runs[0].id
        worker = row.runs[0].worker_id
    assert shown(observer, run)["participant"] == told["participant"]
    for id_ in (image, cases, version, worker, _account(lab, observer.email)):
        assert shown(admin, id_)["title"]
    assert observer.http.get(f"/admin/show/{worker}").json()["code"] == "unknown_id"
    assert admin.http.get("/admin/show/ffffffff").json()["code"] == "unknown_id"
    assert admin.http.get("/admin/show/x").json()["code"] == "not_an_id"


def typed(command: str) -> list[str]:
    """The words that a shell makes of a command."""
    script = f"printf '%s\\n' {command}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def test_a_name_is_one_word_of_the_commands_that_one_may_type(
    entrant: MakeEntrant, admin: Person, nobody: httpx.Client, slug: str
) -> None:
    name, email = "It's (of) & more", f"{slug}$(echo)'@example.org"
    told = shown(admin, entrant(name).team)
    assert [name in typed(act) for act in told["acts"]] == [True, True]
    made = nobody.post("/accounts", json={"email": email, "name": "Eve", "password": PASSWORD})
    (act,) = shown(admin, made.json()["id"])["acts"]
    assert typed(act) == ["proctor-admin", "people", email]
    _, mail = mails.to_reset("https://here.example", email, "prm_code", datetime.now(UTC))
    assert email in typed(mail.partition("  proctor ")[2].partition("\n")[0])


def test_the_installation_stands_on_one_screen(lab: Lab, entrant: MakeEntrant, admin: Person) -> None:
    lab.dataset(cases=2)
    before = admin.http.get("/admin/status").json()
    lacks = any("no slot takes work" in line.lower() for line in before["to_do"])
    assert lacks == (before["slots"]["working"] + before["slots"]["idle"] == 0), "a phase is open"
    entrant("Waits").submit()
    lab.worker().lease()
    begin = time.monotonic()
    told = admin.http.get("/admin/status").json()
    assert time.monotonic() - begin < 30
    phase = next(
        row for row in told["phases"] if (row["challenge"], row["phase"]) == (lab.slug, "validation")
    )
    assert (phase["state"], phase["cases"], phase["evaluations"]) == ("open", 2, 1)
    assert phase["oldest"] is not None
    assert told["slots"]["working"] >= 1
    assert told["versions"]["schema_needed"]
    assert (told["versions"]["release"], told["versions"]["commit"]) == (release(), commit())
    assert told["backup_at"] is None
    assert any(line.startswith("No backup is known") for line in told["to_do"])
    (lab.settings.data / "last_backup").write_text("2020-01-01T00:00:00+00:00\n")
    old = admin.http.get("/admin/status").json()
    (lab.settings.data / "last_backup").unlink()
    assert any("days old" in line for line in old["to_do"])
