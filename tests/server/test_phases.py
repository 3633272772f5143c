"""What organizers decide about phases over HTTP: dates, amendments, releases, frozen boards, commitments."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from click.testing import Result
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DatabaseError

from contract.leaderboard import LeaderboardOut
from contract.statuses import UploadStatus
from evaluator.spec import Challenge, SpecError, read_challenge
from server.amendments.models import Amendment, PhasePlan
from server.amendments.service import amend
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.models import Dataset
from server.evaluations.models import Evaluation
from server.leaderboard.memory import _seconds_left
from server.settings import Settings
from server.uploads.models import Upload
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.organizer import Admin, words
from tests.server.phantoms import phantom
from tests.server.test_leaderboard import board, change, entries, page, scored
from tests.server.test_plans_http import text_of

_EVENTS_AGO = text(
    "UPDATE events SET created_at = created_at - interval '16 minutes' "
    "WHERE subject_id = (SELECT id FROM challenges WHERE slug = :slug)"
)
WHY = "The server was away <for> two days."


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return str(answer.json()["detail"])


def amended(nobody: httpx.Client, slug: str) -> list[Json]:
    answer = nobody.get(f"/challenges/{slug}/amendments")
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def home(nobody: httpx.Client, slug: str) -> str:
    """The challenge's page."""
    return nobody.get(f"http://{nobody.base_url.netloc.decode()}/challenges/{slug}").text


def commitments(nobody: httpx.Client, slug: str, phase: str) -> Json:
    return dict(nobody.get(f"/challenges/{slug}/phases/{phase}/commitments").json())


def soon(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).replace(microsecond=0).isoformat()


def test_a_phase_is_closed_extended_opened_and_postponed_with_reasons_that_everybody_reads(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client, fomo26: Challenge
) -> None:
    path, slug = f"/organize/{lab.slug}/phases/validation/dates", lab.slug
    http, before = admin.http, nobody.get(f"/challenges/{lab.slug}").json()["version"]
    refused(team.http.post(path, json={"closes": "now", "why": WHY}), 403, "organizers_only")
    refused(team.http.post(f"{path}/plan", json={"closes": "now"}), 403, "organizers_only")
    assert "no end that could be later" in refused(
        http.post(f"{path}/plan", json={"extend": 60}), 409, "phase_dates"
    )
    assert "is open, without an end" in refused(
        http.post(f"{path}/plan", json={"opens": "now"}), 409, "phase_unchanged"
    )
    refused(http.post(f"{path}/plan", json={}), 422, "phase_dates")
    refused(http.post(f"{path}/plan", json={"closes": "now", "extend": 60}), 422, "phase_dates")
    assert "is over" in refused(http.post(f"{path}/plan", json={"closes": soon(days=-1)}), 409, "phase_dates")
    turned = {"opens": soon(days=3), "closes": soon(days=2)}
    said = refused(http.post(f"{path}/plan", json=turned), 409, "phase_dates")
    assert "later than opens" in said
    assert (said.count(" UTC"), "+00:00" in said) == (2, False)
    for never in ("9999-12-31T23:00:00-14:00", "9999-12-31T23:59:59Z"):
        assert "the year 9999" in refused(
            http.post(f"{path}/plan", json={"closes": never}), 409, "phase_dates"
        )
    assert http.post(path, json={"closes": "now"}).json()["code"] == "invalid_request", "a reason is needed"
    planned = http.post(f"{path}/plan", json={"closes": soon(days=2)}).json()
    assert planned["sentences"][0].startswith("Phase validation closes 20")
    assert nobody.get(f"/challenges/{slug}").json()["version"] == before == planned["plan"]["present"]
    assert amended(nobody, slug) == []

    body = {"closes": planned["closes"], "why": WHY, "version": before}
    done = http.post(path, json=body).json()
    assert nobody.get(f"/challenges/{slug}").json()["version"] == done["plan"]["version"] != before
    refused(http.post(path, json=body), 409, "phase_unchanged")
    refused(http.post(path, json=body | {"closes": soon(days=5)}), 409, "challenge_changed")
    assert http.post(path, json={"extend": 7 * 86_400, "why": "A holiday."}).status_code == 200
    latest, first = amended(nobody, slug)
    assert latest["what"].startswith("Validation: closes 7 days later, 20")
    assert (first["why"], first["phase"], first["by"]) == (WHY, "validation", "the organizers")
    assert admin.id not in json.dumps([latest, first]), "who amends is not named to everybody"
    shown = home(nobody, slug)
    assert "because: The server was away &lt;for&gt; two days." in shown
    assert (
        amended(nobody, slug)[1:]
        == nobody.get(f"/challenges/{slug}/amendments", params={"limit": 5, "before": latest["id"]}).json()
    )


def test_a_file_that_knows_nothing_of_an_act_is_asked_about_whichever_way_its_dates_differ(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client, fomo26: Challenge
) -> None:
    path, slug, http = f"/organize/{lab.slug}/phases/validation/dates", lab.slug, admin.http
    assert http.post(path, json={"closes": soon(days=2), "why": WHY}).status_code == 200
    assert http.post(path, json={"extend": 7 * 86_400, "why": "A holiday."}).status_code == 200
    own = json.loads(json.dumps(fomo26.model_dump(mode="json"))) | {"challenge": slug}
    own["phases"]["validation"]["closes"] = soon(days=60)
    questions = http.post("/admin/challenges/plan", json={"file": json.dumps(own)}).json()["questions"]
    (asked,) = (question for question in questions if "by an act of" in question)
    assert "closes 7 days later" in asked
    assert "A holiday." in asked
    assert "Is the file older than that?" in asked
    applied = {"file": json.dumps(own), "confirmed": True, "why": "A new schedule."}
    assert http.post("/admin/challenges", json=applied).status_code == 200
    assert amended(nobody, slug)[0]["why"] == "A new schedule."
    own["phases"]["validation"]["closes"] = soon(days=70)
    again = http.post("/admin/challenges/plan", json={"file": json.dumps(own)}).json()["questions"]
    assert again == [], "the file has taken the dates over"


def test_whoever_closes_a_phase_is_told_what_is_under_way_and_can_open_it_again(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client
) -> None:
    path, slug, http = f"/organize/{lab.slug}/phases/validation/dates", lab.slug, admin.http
    team.submit()
    sentences = http.post(f"{path}/plan", json={"closes": "now"}).json()["sentences"]
    assert "Evaluations of it that wait or run: 1; they go on to their end." in sentences
    assert http.post(path, json={"closes": "now", "why": "Over."}).status_code == 200
    refused(team.post("task5"), 409, "phase_closed")
    refused(http.post(path, json={"closes": "now", "why": "Over."}), 409, "phase_dates")
    assert http.post(path, json={"closes": soon(days=1), "why": "Not yet."}).status_code == 200
    team.submit()
    test = f"/organize/{slug}/phases/test/dates"
    told = " ".join(http.post(f"{test}/plan", json={"opens": "now"}).json()["sentences"])
    assert "It has no cases of any task yet, so nobody can submit there before they are imported." in told
    assert http.post(test, json={"opens": "now", "why": "Go."}).status_code == 200
    assert http.post(test, json={"opens": soon(days=3), "why": "A pause."}).status_code == 200
    assert [one["phase"] for one in amended(nobody, slug)[:2]] == ["test", "test"]
    refused(
        http.post(f"/organize/{slug}/phases/final/dates/plan", json={"opens": "now"}), 404, "unknown_phase"
    )


def test_files_and_cases_that_touch_what_has_opened_are_amendments_with_both_digests(
    lab: Lab, admin: Person, nobody: httpx.Client, fomo26: Challenge
) -> None:
    def send(**overlay: Any) -> None:
        body = {"file": text_of(fomo26, lab.slug), "overlay": json.dumps(overlay), "confirmed": True}
        assert admin.http.post("/admin/challenges", json=body).status_code == 200

    send(title="Another title", phases={"test": {"opens": soon(days=9)}})
    assert amended(nobody, lab.slug) == [], "titles, and dates of what has not opened, amend nothing"
    assert commitments(nobody, lab.slug, "test") == {"phase": "test", "plan": None, "labels": []}
    then = commitments(nobody, lab.slug, "validation")["plan"]
    assert then["digest"] == then["now"]
    assert then["late"], "it opened long before anything recorded it"
    send(limits={"memory": "32g"}, phases={"validation": {"attempts": {"valid": 5}}})
    validation, sanity = amended(nobody, lab.slug)
    plan_of = commitments(nobody, lab.slug, "validation")["plan"]
    assert plan_of["digest"] == then["digest"] != plan_of["now"]
    assert plan_of["content"] is None, "the digests of hidden cases are not told, however salted the plan"
    assert then["digest"] in validation["what"]
    assert plan_of["now"] in validation["what"]
    assert "limits.memory 64g → 32g" in validation["what"]
    assert "phases.validation.attempts.valid 3 → 5" in validation["what"]
    assert sanity["phase"] == "sanity"
    assert "attempts" not in sanity["what"]
    shown = home(nobody, lab.slug).split('id="amendments"')[1]
    assert (", amended" in home(nobody, lab.slug), f"{then['digest'][:19]}…" in shown) == (True, True)

    with unit_of_work(lab.sessions) as session:
        other = session.scalars(select(Dataset.id).where(Dataset.folder.startswith(f"{lab.slug}/"))).one()
    lab.dataset(cases=3)
    body = {"yes": True, "why": "Two labels were wrong."}
    assert admin.http.post(f"/admin/datasets/{other}/activate", json=body).status_code == 204
    latest = amended(nobody, lab.slug)[0]
    assert (latest["task"], latest["why"]) == ("task5", "Two labels were wrong.")
    assert "another version of the cases counts (5 cases) instead of the one before (3)" in latest["what"]
    with unit_of_work(lab.sessions) as session:
        digest = session.get_one(Dataset, other).digest
        rows = session.scalars(select(PhasePlan).where(PhasePlan.phase == "validation")).all()
        for row in rows:
            canonical = json.dumps(row.content, sort_keys=True, separators=(",", ":"))
            assert row.digest == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
        challenge = get_challenge(session, lab.slug)
        why = "A colleague's branch says so."
        amend(session, challenge, what="Everything is scored anew", why=why, by="tests")
    assert digest not in json.dumps(amended(nobody, lab.slug)), "a digest of hidden cases is hidden, too"
    assert amended(nobody, lab.slug)[0]["phase"] is None
    with pytest.raises(DatabaseError, match="append-only"), unit_of_work(lab.sessions) as session:
        session.execute(update(Amendment).values(what="Nothing happened"))


def test_what_was_being_uploaded_at_the_end_may_be_submitted_within_the_grace(
    lab: Lab, team: Entrant, admin: Person, fomo26: Challenge
) -> None:
    closes = datetime.now(UTC) - timedelta(minutes=10)
    phases = dict(fomo26.phases)
    phases["validation"] = phases["validation"].model_copy(update={"closes": closes, "grace_seconds": 3600})
    change(lab, fomo26, phases=phases)
    refused(team.post("task5"), 409, "phase_closed")

    def uploaded(began: timedelta, ended: timedelta) -> None:
        with unit_of_work(lab.sessions) as session:
            session.execute(update(Upload).where(Upload.image == team.image).values(image="sha256:none"))
            session.add(
                Upload(
                    team_id=UUID(team.team),
                    sha256="0" * 64,
                    length=1,
                    offset=1,
                    status=UploadStatus.READY,
                    image=team.image,
                    expires_at=func.now(),
                    created_at=closes + began,
                    updated_at=closes + ended,
                )
            )

    minute = timedelta(minutes=1)
    for began, ended in ((-9 * minute, -minute), (minute, 2 * minute)):
        uploaded(began, ended)
        refused(team.post("task5"), 409, "phase_closed")
    uploaded(-minute, minute)
    team.submit()
    phases["validation"] = phases["validation"].model_copy(update={"grace_seconds": 60})
    change(lab, fomo26, phases=phases)
    refused(team.post("task5"), 409, "phase_closed")


@pytest.fixture
def testing(lab: Lab, entrant: Callable[[str], Entrant], fomo26: Challenge) -> Entrant:
    """A team while the test phase is open, which has cases."""
    phases = dict(fomo26.phases)
    opened = {"opens": phases["sanity"].opens, "closes": datetime.now(UTC) + timedelta(days=1)}
    phases["test"] = phases["test"].model_copy(update=opened)
    change(lab, fomo26, phases=phases)
    lab.dataset(phase="test")
    return entrant("Ada")


def test_a_release_goes_through_a_list_and_refuses_what_is_not_final(
    lab: Lab, testing: Entrant, entrant: Callable[[str], Entrant], admin: Person, nobody: httpx.Client
) -> None:
    ada, bob, cyd = testing, entrant("Bob"), entrant("Cyd")
    for one in (ada, bob):
        scored(lab, one, 0.9, phase="test")
    rejected = cyd.submit(phase="test")
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Evaluation).where(Evaluation.id == UUID(rejected)).values(status="rejected"))
    admin.http.patch(f"/admin/teams/{bob.team}", json={"eligible": False})
    path, http = f"/organize/{lab.slug}/phases/test", admin.http
    refused(ada.http.get(f"{path}/release"), 403, "organizers_only")
    found = http.get(f"{path}/release").json()
    states = {check["check"]: check["state"] for check in found["checks"]}
    assert states == {
        "closed": "error",
        "ended": "ok",
        "faults": "ok",
        "last attempts": "warning",
        "one base": "ok",
        "ties": "ok",
        "standing": "warning",
        "checkpoints": "warning",
    }
    told = " ".join(check["found"] for check in found["checks"])
    assert "Cyd (task5, track open)" in told
    assert "Without a right to prizes: Bob." in told
    assert found["awards"] == ["Track open: Ada wins 500 USD, place 1."]
    assert (found["hidden"], found["released_at"]) == (True, None)
    for body in ({}, {"force": True}, {"why": "A talk."}):
        detail = refused(http.post(f"{path}/release", json=body), 409, "board_not_final")
        assert "Phase 'test' is open until" in detail
    refused(http.post(f"{path}/unrelease", json={}), 409, "board_not_released")
    refused(http.post(f"/organize/{lab.slug}/phases/sanity/release", json={}), 409, "no_board")
    refused(http.post(f"/organize/{lab.slug}/phases/validation/release", json={}), 409, "board_public")
    assert amended(nobody, lab.slug) == []
    assert nobody.get(f"/challenges/{lab.slug}/leaderboards/test").status_code == 403


def test_a_release_is_taken_back_within_minutes_as_it_is_and_later_with_a_reason(
    lab: Lab, testing: Entrant, admin: Person, nobody: httpx.Client
) -> None:
    scored(lab, testing, 0.9, phase="test")
    path, http = f"/organize/{lab.slug}/phases/test", admin.http
    board_at = f"/challenges/{lab.slug}/leaderboards/test"
    done = http.post(f"{path}/release", json={"force": True, "why": "A talk."}).json()
    assert (done["hidden"], nobody.get(board_at).json()["released_early"]) == (False, "A talk.")
    refused(http.post(f"{path}/release", json={"force": True, "why": "Twice."}), 409, "board_released")
    since = datetime.fromisoformat(done["released_at"])
    assert datetime.fromisoformat(done["take_back_until"]) - since == timedelta(minutes=15)
    assert http.post(f"{path}/unrelease", json={}).status_code == 200
    assert nobody.get(board_at).status_code == 403
    http.post(f"{path}/dates", json={"closes": "now", "why": "Over."})
    assert http.post(f"{path}/release", json={}).json()["checks"][0]["state"] == "ok"
    assert nobody.get(board_at).json()["released_early"] is None
    content = commitments(nobody, lab.slug, "test")["plan"]["content"]
    assert set(content["datasets"]) == {"task5"}, "what the plan was made of is told with the scores"
    with unit_of_work(lab.sessions) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # the log refuses it otherwise
        session.execute(_EVENTS_AGO, {"slug": lab.slug})
    refused(http.post(f"{path}/unrelease", json={}), 409, "reason_missing")
    assert nobody.get(board_at).status_code == 200
    assert http.post(f"{path}/unrelease", json={"why": "A label was wrong."}).status_code == 200
    assert nobody.get(board_at).status_code == 403
    assert [(one["what"].partition(": ")[2][:26], one["why"]) for one in amended(nobody, lab.slug)] == [
        ("the release of the leaderb", "A label was wrong."),
        ("the leaderboard is release", None),
        *((one["what"].partition(": ")[2][:26], "Over.") for one in amended(nobody, lab.slug)[2:3]),
        ("the release of the leaderb", None),
        ("the leaderboard is release", "A talk."),
    ]
    assert done["audit"]["seq"] > 0
    assert f"released; audit head {done['audit']['text']}" in amended(nobody, lab.slug)[-1]["what"]
    told = [notice["kind"] for notice in reversed(testing.http.get("/notices").json())]
    assert told == [*["board.released"] * 2, "phase.moved", *["board.released"] * 2]


def test_a_frozen_board_stays_as_it_was_for_all_but_organizers_until_it_is_released(
    lab: Lab,
    entrant: Callable[[str], Entrant],
    admin: Person,
    nobody: httpx.Client,
    fomo26: Challenge,
) -> None:
    ada, bob = entrant("Ada"), entrant("Bob")
    early = scored(lab, ada, 0.7)
    freezes = datetime.now(UTC) - timedelta(hours=1)
    with unit_of_work(lab.sessions) as session:
        ended = {"finished_at": freezes - timedelta(hours=1)}
        session.execute(update(Evaluation).where(Evaluation.id == UUID(early)).values(ended))
    assert set(entries(board(nobody, lab))) == {"Ada"}
    coming = {"freezes": datetime.now(UTC) + timedelta(hours=1)}
    phases = dict(fomo26.phases)
    phases["validation"] = fomo26.phases["validation"].model_copy(update=coming)
    change(lab, fomo26, phases=phases)
    at = f"/challenges/{lab.slug}/leaderboards/validation"
    assert (nobody.get(at).json()["frozen"], nobody.get(at).json()["freezes"] is not None) == (False, True)
    assert "It freezes <time" in page(nobody, lab).text
    told = LeaderboardOut.model_validate(nobody.get(at).json())
    assert 3000 < _seconds_left(told, None) <= 3600, "the clock alone ends what is kept of it"
    path, http = f"/organize/{lab.slug}/phases/validation", admin.http
    assert "never frozen before" in refused(http.post(f"{path}/release", json={}), 409, "board_public")

    phases["validation"] = fomo26.phases["validation"].model_copy(update={"freezes": freezes})
    change(lab, fomo26, phases=phases)
    scored(lab, ada, 0.6)
    scored(lab, bob, 0.9)
    for client in (nobody, bob.http):
        answer = client.get(at).json()
        assert (answer["frozen"], answer["tracks"][1]["unified"][0]["team"]) == (True, "Ada")
        found = entries(board(client, lab))
        assert {name: one["metrics"]["auroc"]["value"] for name, one in found.items()} == {"Ada": 0.7}
        assert "Bob" not in client.get(f"{at}.csv").text
    assert "Frozen since" in page(nobody, lab).text
    assert "Bob" not in page(nobody, lab).text
    assert "frozen since" in home(nobody, lab.slug)
    live = entries(board(http, lab))
    assert {name: one["metrics"]["auroc"]["value"] for name, one in live.items()} == {"Bob": 0.9, "Ada": 0.6}
    assert http.get(at).json()["frozen"] is False
    assert "Bob" in http.get(f"{at}.csv").text
    assert set(entries(board(nobody, lab))) == {"Ada"}, "what an organizer looked at is kept for nobody"
    assert bob.http.get(f"/challenges/{lab.slug}/submissions", params={"team": bob.team}).json()[0][
        "evaluations"
    ][0]["scores"], "a team knows its own scores"

    force = {"force": True, "why": "The dinner is over."}
    assert http.post(f"{path}/release", json=force).json()["hidden"] is False
    thawed = nobody.get(at).json()
    assert (thawed["frozen"], thawed["freezes"]) == (False, None)
    assert list(entries(board(nobody, lab))) == ["Bob", "Ada"]
    assert http.post(f"{path}/unrelease", json={}).status_code == 200
    assert set(entries(board(nobody, lab))) == {"Ada"}


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ({"board": "sealed", "freezes": "2026-07-01T00:00:00Z"}, "freezes is for a public board"),
        ({"freezes": "2026-01-01T00:00:00Z"}, "has to be after the phase opens"),
        ({"freezes": 20260101}, "freezes"),
        ({"grace_seconds": 604_801}, "grace_seconds"),
    ],
)
def test_a_file_with_other_than_a_freeze_or_a_grace_is_refused(
    fomo26: Challenge, field: Json, part: str
) -> None:
    overlay = json.dumps({"phases": {"validation": field}})
    with pytest.raises(SpecError, match=part):
        read_challenge(text_of(fomo26, "fomo26"), overlay)
    assert '"freezes"' not in json.dumps(fomo26.model_dump(mode="json")), "files of before keep their digests"


def test_labels_are_committed_to_once_revealed_with_the_scores_and_compared_at_the_release(
    command: Admin,
    imported: Callable[..., Result],
    lab: Lab,
    admin: Person,
    nobody: httpx.Client,
    settings: Settings,
    tmp_path: Path,
) -> None:
    made = phantom(tmp_path / "Task_3", "task3")
    assert imported(made).exit_code == 0
    path = f"/organize/{lab.slug}/phases/validation"
    refused(admin.http.post(f"/organize/{lab.slug}/phases/test/label-commitments"), 404, "no_dataset")
    assert "cannot read the labels" in refused(
        admin.http.post(f"{path}/label-commitments"), 409, "files_elsewhere"
    ), "task5 has cases without references"
    with unit_of_work(lab.sessions) as session:
        other = Dataset.task == "task5", Dataset.folder.startswith(f"{lab.slug}/")
        session.execute(update(Dataset).where(*other).values(state="superseded"))
        folder = session.scalars(
            select(Dataset.folder).where(Dataset.task == "task3", Dataset.folder.startswith(f"{lab.slug}/"))
        ).one()
    done = command("commit-labels", lab.slug, "validation", "--yes", "--json")
    (row,) = json.loads(done.output)
    assert (row["task"], row["salt"], row["labels"], row["in_force"]) == ("task3", None, None, True)
    assert commitments(nobody, lab.slug, "validation")["labels"] == [row]
    assert "labels committed to" in home(nobody, lab.slug)
    assert row["digest"] in amended(nobody, lab.slug)[0]["what"], "the phase has opened before"
    refused(admin.http.post(f"{path}/label-commitments"), 409, "labels_committed")

    def labels_check() -> tuple[str, str]:
        checks = admin.http.get(f"{path}/release").json()["checks"]
        (check,) = (check for check in checks if check["check"] == "labels")
        return check["state"], check["found"]

    assert labels_check()[0] == "ok"
    table = settings.references / folder / "references.csv"
    before = table.read_bytes()
    table.write_bytes(before + b"\n")
    assert labels_check()[0] == "error", "somebody changed a file on the disk"
    table.write_bytes(before)
    label = made.labels() / "label.txt"
    label.write_text("77")
    assert imported(made, "--yes", "--why", "An age was wrong.").exit_code == 0
    state, found = labels_check()
    assert state == "warning"
    assert "Amendments say when and why" in found
    assert amended(nobody, lab.slug)[0]["why"] == "An age was wrong."
    assert commitments(nobody, lab.slug, "validation")["labels"][0]["in_force"] is False

    with unit_of_work(lab.sessions) as session:
        get_challenge(session, lab.slug).released = ["validation"]
    told = commitments(nobody, lab.slug, "validation")["labels"][0]
    assert told["digest"] == "sha256:" + hashlib.sha256((told["salt"] + told["labels"]).encode()).hexdigest()
    files = [["references.csv", hashlib.sha256(before).hexdigest()]]
    canonical = json.dumps(files, separators=(",", ":"))
    assert told["labels"] == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def test_commands_say_what_they_would_do_and_take_a_reason(
    command: Admin, lab: Lab, nobody: httpx.Client
) -> None:
    planned = command("phase", lab.slug, "validation", "--closes", soon(days=3), "--plan")
    assert "Phase validation closes 20" in words(planned)
    assert amended(nobody, lab.slug) == []
    for options, part in (
        (["--close-now"], "This takes --why REASON"),
        (["--close-now", "--why", "Over."], "Give --yes to go on"),
        (["--closes", "2026-09-01"], "no time with its offset"),
        (["--extend", "a week"], "give a number and a unit"),
        (["--extend", "+7d"], "no end that could be later"),
        (["--close-now", "--closes", soon(days=1)], "either now or a time"),
    ):
        wrong = command("phase", lab.slug, "validation", *options)
        assert wrong.exit_code == 1
        assert part in words(wrong)
    assert amended(nobody, lab.slug) == []
    closing = ("phase", lab.slug, "validation", "--closes", soon(days=3), "--why", "A deadline.", "--yes")
    assert "done, version sha256:" in words(command(*closing))
    assert (
        command("phase", lab.slug, "validation", "--extend", "+7d", "--why", "Longer.", "--yes").exit_code
        == 0
    )
    assert [one["why"] for one in amended(nobody, lab.slug)] == ["Longer.", "A deadline."]
    assert amended(nobody, lab.slug)[0]["what"].startswith("Validation: closes 7 days later")
    assert command("unrelease", lab.slug, "test", "--yes").exit_code == 1


def test_a_phase_that_is_over_opens_again_with_a_later_end_and_says_so(lab: Lab, admin: Person) -> None:
    path = f"/organize/{lab.slug}/phases/validation/dates"
    assert admin.http.post(path, json={"closes": "now", "why": WHY}).status_code == 200
    said = refused(admin.http.post(f"{path}/plan", json={"opens": "now"}), 409, "phase_dates")
    assert "give a later end, and it is open again until then" in said
    planned = admin.http.post(f"{path}/plan", json={"closes": soon(days=2)}).json()
    assert "It is open then." in planned["sentences"]
