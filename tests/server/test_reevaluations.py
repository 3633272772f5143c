"""Re-evaluations: what they make beside what counts, what anybody sees of it, and changing places all at once."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from contract.leases import Finish
from contract.organizers import Role
from evaluator.spec import Challenge
from server.accounts.principals import Organizer
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.service import current_dataset
from server.evaluations import scoring
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.worker_models import TeamUsage
from server.organizers.models import ChallengeRole
from server.reevaluations import service, swap
from server.reevaluations.models import Reevaluation
from server.tables import open_database
from tests.server.conftest import Person
from tests.server.lab import Entrant, FakeWorker, Json, Lab
from tests.server.organizer import Admin, words
from tests.server.reevaluating import (
    Organizing,
    require_the_way_back,
    score_all,
    seen,
    tick,
    without_now,
)
from tests.server.test_leaderboard import board, entries
from tests.server.test_retry import end, put_back
from tests.server.test_sequences import what_keeps_it

VALUES = {"Ada": 0.9, "Bob": 0.8, "Cyd": 0.7}


@pytest.fixture
def teams(lab: Lab, entrant: Callable[[str], Entrant]) -> dict[str, Entrant]:
    """Three teams with a scored evaluation each; Cyd has one that was rejected, too."""
    found = {name: entrant(name) for name in VALUES}
    worker, by_team = lab.worker("run-1"), {UUID(team.team): VALUES[name] for name, team in found.items()}
    for team in found.values():
        team.submit()
    worker.drain()
    score_all(lab, lambda evaluation: by_team[evaluation.team_id])
    found["Cyd"].submit()
    worker.drain(fault="timeout")
    return found


@pytest.fixture
def organizing(lab: Lab, admin: Person) -> Organizing:
    return Organizing(lab, admin.http)


def ranks(nobody: httpx.Client, lab: Lab) -> dict[str, int]:
    return {name: entry["rank"] for name, entry in entries(board(nobody, lab)).items()}


def evaluation_of(team: Entrant) -> str:
    """The team's first evaluation."""
    return str(team.http.get(f"/challenges/{team.slug}/submissions").json()[-1]["evaluations"][0]["id"])


def upside_down(teams: dict[str, Entrant]) -> Callable[[Evaluation], float]:
    worse = {UUID(team.team): 1 - VALUES[name] for name, team in teams.items()}
    return lambda evaluation: worse[evaluation.team_id]


def test_nothing_that_anybody_sees_moves_until_it_is_applied_and_the_way_back_brings_all_of_it_back(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing, nobody: httpx.Client, admin: Person
) -> None:
    before = seen(lab, teams, nobody, admin.http)
    drafted = organizing.draft(scope={"phases": ["validation"], "tasks": ["task5"]})
    assert (
        drafted["plan"]["sentence"]
        == "3 evaluations of 15 cases: no container runs; 1 of the scope is left out."
    )
    assert [one["reason"] for one in drafted["plan"]["excluded"]] == ["output_missing"]
    id_ = drafted["id"]
    final = what_keeps_it(lab)
    assert organizing.do(id_, "start")["state"] == "running"
    assert seen(lab, teams, nobody, admin.http) == before
    assert what_keeps_it(lab) == final == []
    assert organizing.do(id_, "apply", 409, digest="sha256:" + "0" * 64)["code"] == "not_ready"
    assert lab.worker().lease() is None, "no container runs"
    assert score_all(lab, upside_down(teams)) == 3
    tick(lab)
    assert organizing.get(id_)["state"] == "ready"
    assert seen(lab, teams, nobody, admin.http) == before
    beside = organizing.get(id_, "/preview")
    assert [(one["old"], one["new"], one["count"]) for one in beside["statuses"]] == [("scored", "scored", 3)]
    assert beside["verdicts"] == [{"old": "valid", "new": "valid", "count": 15}]
    (phase,) = beside["boards"]["phases"]
    (track,) = (track for track in phase["tracks"] if track["track"] == "open")
    moves = {one["team"]: (one["place_before"], one["place_after"], one["cause"]) for one in track["teams"]}
    assert moves == {"Cyd": (3, 1, "both"), "Bob": (2, 2, None), "Ada": (1, 3, "both")}
    assert {one["team"]: one["sentences"] for one in beside["told"]}["Ada"] == [
        "Your evaluation on task5, track open, phase validation, was made anew: a wrong label."
    ]
    pair = beside["pairs"][0]
    ended = teams["Ada"].evaluation(pair["old"])["finished_at"]
    for http in (teams["Ada"].http, nobody):
        assert http.get(f"/evaluations/{pair['new']}").status_code in (401, 404)
    assert organizing.do(id_, "apply", 409, digest="sha256:" + "0" * 64)["code"] == "board_moved"
    void = {"json": {"why": "a wrong label"}}
    told = organizing.http.post(f"/organize/{lab.slug}/evaluations/{pair['new']}/void/plan", **void).json()
    assert told["detail"].startswith("A re-evaluation that is not applied made it"), told
    assert pair["old"] in told["detail"]
    assert organizing.apply(id_)["changed"] == 3
    told = organizing.http.post(f"/organize/{lab.slug}/evaluations/{pair['old']}/void/plan", **void).json()
    assert told["detail"].startswith("A re-evaluation put another evaluation in its place"), told
    assert pair["new"] in told["detail"], "which is the one to decide on"
    assert ranks(nobody, lab) == {"Cyd": 1, "Bob": 2, "Ada": 3}
    told = nobody.get(f"/challenges/{lab.slug}/amendments").json()
    what = (
        "Validation, Polymicrogyria classification: 3 evaluations made anew count in place of those that did"
    )
    assert [(one["what"], one["why"]) for one in told] == [(what, None)], "the reason is not told unasked"
    shown = teams["Ada"].evaluation(pair["old"])
    assert shown["id"] == pair["new"], "an old address leads to what counts"
    assert shown["finished_at"] == ended, "no later end is shown, which hidden phases would hold back"
    receipt = admin.http.get(f"/admin/evaluations/{pair['new']}/receipt").json()["statement"]
    assert (receipt["replaces"], receipt["reevaluation"]) == (pair["old"], id_)
    require_the_way_back(
        lab, organizing, id_, beside["digest"], lambda: seen(lab, teams, nobody, admin.http), before
    )
    require_told(teams["Ada"], id_)


def require_told(team: Entrant, reevaluation: str) -> None:
    """The team reads that its result was made anew, and that this was taken back."""
    rows = team.http.get("/notices").json()
    back, anew = (notice for notice in rows if notice["kind"] == "result.changed")
    assert anew["text"].endswith("was made anew: a wrong label.")
    assert back["text"].endswith("counts again as it did before it was made anew: it was right.")
    assert back["about"] == {"team": team.team, "reevaluation": reevaluation}


@pytest.fixture
def corrected(lab: Lab, teams: dict[str, Entrant], admin: Person) -> UUID:
    """Another version of the cases, one of which was withdrawn; those that were run on are in force."""
    with unit_of_work(lab.sessions) as session:
        first = current_dataset(session, get_challenge(session, lab.slug), "validation", "task5").id
    other = lab.dataset(cases=4)
    answer = admin.http.post(f"/admin/datasets/{first}/activate", json={"yes": True})
    assert answer.status_code == 204, answer.text
    return other


class Killer:
    """Sessions whose connection is cut at the n-th statement of a unit of work, or instead of its commit."""

    def __init__(self, lab: Lab) -> None:
        self.sessions = open_database(lab.settings.database_url, pool_size=1)
        self.engine = self.sessions.kw["bind"]
        self.count, self.at = 0, -1
        event.listen(self.engine, "before_cursor_execute", self._statement)
        event.listen(self.engine, "commit", lambda connection: self._cut(connection))

    def _statement(self, connection: Connection, *_: object) -> None:
        self._cut(connection)

    def _cut(self, connection: Connection) -> None:
        self.count += 1
        if self.count == self.at:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.close()

    def run(self, at: int, act: Callable[[Session], object]) -> bool:
        """Whether it came to its end with a cut at the `at`-th statement; nothing of it may be left otherwise."""
        self.count, self.at = 0, at
        try:
            with unit_of_work(self.sessions) as session:
                act(session)
        except DBAPIError:
            return False
        return True


def test_a_crash_at_any_statement_leaves_the_board_of_before_and_the_next_try_comes_through(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing, corrected: UUID, admin: Person
) -> None:
    id_ = organizing.ready(upside_down(teams), datasets=[str(corrected)])
    preview = organizing.get(id_, "/preview")
    assert preview["attempts"] == [], "what is rescored on the corrected cases stays spent"
    killer = Killer(lab)

    def looks() -> tuple[bytes, str]:
        board = admin.http.get(f"/challenges/{lab.slug}/leaderboards/validation").content
        with unit_of_work(lab.sessions) as session:
            rows = session.execute(
                select(Evaluation.id, Evaluation.standing, Evaluation.status).order_by(Evaluation.id)
            )
            return without_now(board), str(rows.all())

    def act(what: str) -> Callable[[Session], object]:
        def done(session: Session) -> None:
            reevaluation = session.get_one(Reevaluation, UUID(id_))
            organizer = Organizer(reevaluation.challenge_id, "tests")
            if what == "apply":
                swap.apply(
                    session, organizer, reevaluation, seen=preview["digest"], why=None, settings=lab.settings
                )
            else:
                swap.revert(session, organizer, reevaluation, why="it was right", settings=lab.settings)

        return done

    states = [looks()]
    for what in ("apply", "revert"):
        at = 1
        while not killer.run(at, act(what)):
            assert looks() == states[-1], f"{what} left a mixture when it was cut at statement {at}"
            at += 1
        assert at > 10, "every statement was cut"
        states.append(looks())
    assert states[0] == states[2] != states[1]
    killer.engine.dispose()


def test_of_fifty_that_apply_it_at_once_one_does(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing, nobody: httpx.Client
) -> None:
    id_ = organizing.ready(upside_down(teams))
    digest = organizing.get(id_, "/preview")["digest"]
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: organizing.ask("POST", f"/{id_}/apply", json={"digest": digest}), range(50))
        )
    codes = Counter("done" if one.status_code == 200 else one.json()["code"] for one in answers)
    assert codes.pop("done") == 1
    assert set(codes) <= {"already_applied", "busy"}, codes
    assert ranks(nobody, lab) == {"Cyd": 1, "Bob": 2, "Ada": 3}
    told = organizing.http.get("/admin/events", params={"subject": "reevaluation", "id": id_}).json()["items"]
    assert [one["new"] for one in told] == ["applied", "ready", "running", "draft"]


def finish(worker: FakeWorker, lease: Json, output: bytes) -> int:
    said = {"message": "As the test says.", "seconds": 1.5, "output": worker.output(lease, output)}
    body = Finish.model_validate(said).model_dump(mode="json")
    return worker.call("POST", lease, "finish", json=body).status_code


def run_repetitions(lab: Lab, worker: FakeWorker) -> None:
    """Runs all that waits; the first case of each second repetition answers otherwise."""
    while (lease := worker.lease()) is not None:
        with unit_of_work(lab.sessions) as session:
            run = session.get_one(CaseRun, UUID(lease["case_run"]))
            repetition, case = run.evaluation.repetition, run.case.name
        otherwise = repetition == 2 and case == "sub-00"
        assert finish(worker, lease, b"0.7\n" if otherwise else b"0.5\n") == 204


def started_twice(teams: dict[str, Entrant], organizing: Organizing) -> str:
    """A rerun of two teams, twice each, with which no other one may overlap."""
    drafted = organizing.draft(
        mode="rerun", repetitions=2, scope={"teams": ["ada", teams["Bob"].team], "statuses": ["scored"]}
    )
    plan, id_ = drafted["plan"], str(drafted["id"])
    assert (plan["evaluations"], plan["cases_to_run"], plan["gpu_hours"] > 0) == (4, 20, True)
    organizing.do(id_, "start")
    other = organizing.draft(scope={"teams": ["Ada", "Cyd"], "statuses": ["scored"]})
    (in_another,) = other["plan"]["excluded"]
    assert (in_another["reason"], in_another["count"], in_another["others"]) == ("in_another", 1, [id_])
    assert organizing.do(other["id"], "cancel", why="not now")["state"] == "cancelled"
    assert organizing.do(other["id"], "start", 409)["code"] == "not_a_draft"
    wanted = {"mode": "rerun", "why": "x", "scope": {"teams": ["Bob"], "statuses": ["scored"]}}
    assert organizing.ask("POST", json=wanted).json()["code"] == "nothing_in_scope"
    return id_


def usage_of(lab: Lab, team: Entrant) -> float:
    """Slot seconds as they were when they last grew."""
    with unit_of_work(lab.sessions) as session:
        return session.get_one(TeamUsage, UUID(team.team)).seconds


def test_what_comes_late_is_brought_in_and_repetitions_tell_who_is_not_deterministic(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing, nobody: httpx.Client
) -> None:
    id_ = started_twice(teams, organizing)
    worker, late, quota = lab.worker("run-2"), teams["Bob"].submit(), teams["Ada"].quota()
    lease = worker.take()
    assert lease["evaluation"] == late, "what participants wait for goes first"
    assert worker.finish(lease).status_code == 204
    used = usage_of(lab, teams["Ada"])
    run_repetitions(lab, worker)
    assert usage_of(lab, teams["Ada"]) == used > 0, "nobody is charged for it"
    order: list[str] = []

    def value(evaluation: Evaluation) -> float:
        order.append(str(evaluation.id))
        return 0.5 + evaluation.repetition / 10

    assert score_all(lab, value) == 5
    assert order[0] == late
    tick(lab)
    assert organizing.get(id_)["state"] == "running", "the late one is brought in"
    assert organizing.get(id_)["statuses"] == {"scored": 4, "queued": 2}
    run_repetitions(lab, worker)
    score_all(lab, value)
    tick(lab)
    assert organizing.get(id_)["state"] == "ready"
    preview = organizing.get(id_, "/preview")
    assert [(one["team"], one["deterministic"]) for one in preview["spreads"]] == [
        ("Ada", False),
        ("Bob", False),
        ("Bob", False),
    ]
    spread = preview["spreads"][0]
    assert (spread["cases"], [one["outputs"] for one in spread["differing"]]) == (5, [2])
    assert [(round(one["low"], 6), round(one["high"], 6)) for one in spread["values"]] == [(0.6, 0.7)]
    assert teams["Ada"].quota() == quota

    teams["Cyd"].submit()
    worker.drain()
    score_all(lab, lambda _: 0.95)
    assert organizing.do(id_, "apply", 409, digest=preview["digest"])["code"] == "board_moved"
    assert organizing.do(id_, "catch-up")["state"] == "ready", "it is not in scope"
    assert organizing.apply(id_)["changed"] == 3
    assert teams["Ada"].quota() == quota
    again = organizing.ready(lambda _: 0.99, scope={"teams": ["Ada"]})
    organizing.apply(again)
    assert ranks(nobody, lab) == {"Ada": 1, "Cyd": 2, "Bob": 3}
    assert organizing.do(id_, "revert", 409, why="it was right")["code"] == "applied_since"
    organizing.do(again, "revert", why="it was right")
    organizing.do(id_, "revert", why="it was right")
    assert entries(board(nobody, lab))["Ada"]["metrics"]["auroc"]["value"] == 0.9


def test_what_is_missing_runs_and_the_rest_is_taken_over(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing
) -> None:
    lost = lab.runs(evaluation_of(teams["Ada"]))[2]
    with unit_of_work(lab.sessions) as session:
        digest = lab.settings.blobs.put(b"0.25\n")
        session.get_one(CaseRun, lost.id).output = digest
    lab.settings.blobs.path(digest).unlink()
    scope = {"teams": ["Ada", "Cyd"]}
    plan = organizing.draft(scope=scope)["plan"]
    assert [(one["reason"], one["count"]) for one in plan["excluded"]] == [("output_missing", 2)]
    drafted = organizing.draft(mode="complete", scope=scope)
    assert (drafted["plan"]["cases_to_run"], drafted["plan"]["evaluations"]) == (3, 3)
    organizing.do(drafted["id"], "start")
    assert lab.worker().drain() == 3
    assert score_all(lab, lambda evaluation: 0.3) == 3
    tick(lab)
    preview = organizing.get(drafted["id"], "/preview")
    assert {(one["old"], one["new"]): one["count"] for one in preview["statuses"]} == {
        ("scored", "scored"): 2,
        ("rejected", "scored"): 1,
    }
    assert preview["attempts"] == [
        {"team": "Cyd", "phase": "validation", "track": "open", "task": "task5", "spent": 1, "would_be": 2}
    ]


def written(fomo26: Challenge, lab: Lab, file: Path) -> Challenge:
    """The lab's file with other intervals on one board."""
    bootstrap = fomo26.boards["task5"].bootstrap.model_copy(update={"resamples": 500})
    other = fomo26.boards["task5"].model_copy(update={"bootstrap": bootstrap})
    boards = dict(fomo26.boards) | {"task5": other}
    spec = fomo26.model_copy(update={"challenge": lab.slug, "boards": boards})
    file.write_text(json.dumps(spec.model_dump(mode="json")))
    return spec


def spreadsheet_shows_what_moves(command: Admin, id_: str) -> None:
    sheet = list(csv.DictReader(io.StringIO(command("reevaluation", id_, "--csv").stdout)))
    assert {(row["team"], row["place_before"], row["place_after"]) for row in sheet if not row["board"]} == {
        ("Ada", "1", "3"),
        ("Cyd", "3", "1"),
    }
    (moved,) = (row for row in sheet if (row["team"], row["board"]) == ("Ada", "task5"))
    assert (moved["rank_before"], moved["rank_after"]) == ("1.0", "3.0")
    assert float(moved["low_after"]) <= float(moved["value_after"]) < float(moved["value_before"])


def test_a_challenge_file_that_scores_otherwise_takes_its_entries_along_and_commands_do_all_of_it(
    lab: Lab,
    teams: dict[str, Entrant],
    organizing: Organizing,
    nobody: httpx.Client,
    command: Admin,
    fomo26: Challenge,
    tmp_path: Path,
) -> None:
    """Applied alone it would empty the board; the way back brings file and board back."""
    file = tmp_path / "challenge.json"
    spec = written(fomo26, lab, file)
    before = ranks(organizing.http, lab)
    drafted = command(
        *("reevaluate", lab.slug, "--mode", "rescore", "--why", "more resamples", "--file", file),
        *("--where", "statuses=scored"),
    )
    id_ = words(drafted).split("start-reevaluation ")[1].split("'")[0]
    assert drafted.exit_code == 1, "nobody said yes"
    assert f"To start it: proctor-admin start-reevaluation {id_}" in words(command("reevaluation", id_))
    early = command("apply-reevaluation", id_, "--yes")
    assert (early.exit_code, early.stdout) == (1, ""), "there is nothing to preview"
    assert "No re-evaluation has an id" in words(command("start-reevaluation", "fomo26", "--yes"))
    assert command("start-reevaluation", id_[-12:], "--yes").exit_code == 0, "by how it ends"
    assert command("apply-reevaluation", id_[:20], "--yes").exit_code == 1, "it is not ready"
    score_all(lab, upside_down(teams))
    tick(lab)
    told = words(command("reevaluation", id_))
    assert "Evaluations that change: 3, of 3 teams. Its challenge file becomes the present version." in told
    spreadsheet_shows_what_moves(command, id_)
    assert ranks(organizing.http, lab) == before
    made_beside = json.loads(
        command("submissions", "--challenge", lab.slug, "--standing", "beside", "--json").stdout
    )
    assert {one["standing"] for one in made_beside} == {"beside"}
    assert all(one["replaces"] for one in made_beside)
    asked = command("apply-reevaluation", id_)
    assert (asked.exit_code, "Give --yes" in asked.output) == (1, True)
    assert command("apply-reevaluation", id_, "--yes").exit_code == 0
    applied = words(command("reevaluation", id_))
    assert ("To take it back" in applied, "did not end well" in applied) == (True, False)
    assert ranks(organizing.http, lab) == {"Cyd": 1, "Bob": 2, "Ada": 3}
    version = nobody.get(f"/challenges/{lab.slug}").json()["version"]
    assert version == spec.digest
    assert command("revert-reevaluation", id_, "--why", "fewer", "--yes").exit_code == 0
    assert (
        ranks(organizing.http, lab),
        nobody.get(f"/challenges/{lab.slug}").json()["version"] == version,
    ) == (
        before,
        False,
    )
    listed = words(command("reevaluations", lab.slug))
    assert "reverted" in listed
    assert command("cancel-reevaluation", id_, "--why", "too late", "--yes").exit_code == 1


def test_a_preview_tells_what_its_file_does_beside_boards_and_ends_with_a_merge(
    lab: Lab,
    teams: dict[str, Entrant],
    entrant: Callable[[str], Entrant],
    organizing: Organizing,
    fomo26: Challenge,
    tmp_path: Path,
) -> None:
    """A file that opens what is hidden, or knows nothing of an act on dates, is no surprise for who applies it."""
    spec = written(fomo26, lab, tmp_path / "challenge.json")
    opened = spec.phases["validation"].model_copy(update={"hidden": False})
    shown = spec.phases["test"].model_copy(update={"board": "public"})
    phases = {**spec.phases, "validation": opened, "test": shown}
    file = json.dumps(spec.model_copy(update={"phases": phases}).model_dump(mode="json"))
    drafted = organizing.draft(file=file)
    assert "phase validation is hidden" in " ".join(drafted["plan"]["questions"]), (
        "asked before it starts, too"
    )
    assert organizing.get(drafted["id"])["plan"]["questions"] == drafted["plan"]["questions"]
    id_ = organizing.ready(upside_down(teams), file=file)
    before = organizing.get(id_, "/preview")
    told = " ".join(before["sentences"])
    assert "phase validation is hidden; its cases, verdicts and logs would be shown to participants" in told
    assert "the leaderboard of phase test is sealed; everybody would see it" in told
    assert "will no longer rank" not in told, "its entries come along"
    body = {"closes": "2099-01-01T00:00:00Z", "why": "a holiday"}
    dates = f"/organize/{lab.slug}/phases/validation/dates"
    assert organizing.http.post(dates, json=body).status_code == 200
    assert organizing.do(id_, "apply", 409, digest=before["digest"])["code"] == "board_moved"
    dated = organizing.get(id_, "/preview")
    assert "has its dates by an act of" in " ".join(dated["sentences"])

    merged = {"why": "the same people", "decision": "merge", "into": entrant("Dan").team}
    path = f"/organize/{lab.slug}/teams/{teams['Ada'].team}/decisions"
    assert organizing.http.post(path, json=merged).status_code == 200
    assert organizing.do(id_, "apply", 409, digest=dated["digest"])["code"] == "board_moved"
    assert organizing.apply(id_)["changed"] == 3


def test_one_that_cannot_go_on_holds_up_no_other(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing
) -> None:
    """Whoever brings theirs into such a state shall not stop those of every other challenge."""
    stuck, sound = (
        str(organizing.draft(scope={"teams": [name], "statuses": ["scored"]})["id"])
        for name in ("Ada", "Bob")
    )
    for id_ in (stuck, sound):
        organizing.do(id_, "start")
    score_all(lab, upside_down(teams))
    with unit_of_work(lab.sessions) as session:
        session.get_one(Reevaluation, UUID(stuck)).target_datasets = [str(uuid4())]
    tick(lab)
    assert organizing.get(sound)["state"] == "ready"
    with unit_of_work(lab.sessions) as session:
        session.get_one(Reevaluation, UUID(stuck)).target_datasets = []
    tick(lab)
    assert organizing.get(stuck)["state"] == "ready"


def test_only_who_organizes_the_challenge_has_anything_of_it(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing, person: Callable[..., Person]
) -> None:
    id_ = organizing.draft(scope={"statuses": ["scored"]})["id"]
    observer, path = person("Olga"), f"/organize/{lab.slug}/reevaluations"
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug).id
        role = {"user_id": UUID(observer.id), "role": Role.OBSERVER, "named_by": "tests"}
        session.add(ChallengeRole(challenge_id=challenge, **role))
    assert observer.http.get(f"{path}/{id_}").status_code == 200
    for http, method, where in (
        (observer.http, "POST", f"{path}/{id_}/start"),
        (teams["Ada"].http, "GET", path),
        (teams["Ada"].http, "GET", f"{path}/{id_}/preview"),
    ):
        answer = http.request(method, where)
        assert (answer.status_code, answer.json()["code"]) == (403, "organizers_only"), where
    assert organizing.ask("GET", f"/{uuid4()}").json()["code"] == "unknown_reevaluation"


def test_what_was_scored_and_is_rejected_gives_its_attempt_back_and_nothing_of_it_counts_before(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing, nobody: httpx.Client
) -> None:
    ada, before = teams["Ada"], teams["Ada"].quota()
    id_ = organizing.draft(mode="rerun", scope={"teams": ["Ada"]})["id"]
    organizing.do(id_, "start")
    lab.worker().drain(fault="timeout")
    tick(lab)
    assert ada.quota() == before
    preview = organizing.get(id_, "/preview")
    assert [(one["old"], one["new"], one["count"]) for one in preview["statuses"]] == [
        ("scored", "rejected", 1)
    ]
    assert [(one["spent"], one["would_be"]) for one in preview["attempts"]] == [(1, 0)]
    told = ["Evaluations that change: 1, of 1 team.", "Attempts that are given back: 1."]
    assert organizing.apply(id_) == {"changed": 1, "sentences": told}
    after = ada.quota()
    assert (after["spent"], after["left"], after["rejected"]) == (
        0,
        before["left"] + 1,
        before["rejected"] + 1,
    )
    assert set(ranks(organizing.http, lab)) == {"Bob", "Cyd"}
    organizing.do(id_, "revert", why="the host was broken")
    assert ada.quota() == before


def test_no_score_lands_while_one_is_applied_and_a_cancelled_one_leaves_nothing_under_way(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing
) -> None:
    id_ = organizing.draft(scope={"statuses": ["scored"]})["id"]
    organizing.do(id_, "start")
    with unit_of_work(lab.sessions) as session:
        claimed = scoring.claim(session)
        assert claimed is not None
        claim = claimed.id, claimed.scoring_claim_no
    with unit_of_work(lab.sessions) as applying, lab.sessions() as landing:
        service.locked(applying, applying.get_one(Reevaluation, UUID(id_)))
        landing.execute(text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(OperationalError):
            scoring.settle(landing, *claim, {}, scored_with={}, settings=lab.settings)
        landing.rollback()
    assert organizing.do(id_, "cancel", why="a typing error")["statuses"] == {"cancelled": 3}
    assert score_all(lab, lambda _: 0.5) == 0
    assert organizing.do(id_, "cancel", 409, why="again")["code"] == "reevaluation_over"


def test_what_the_platform_failed_at_is_retried_beside_and_costs_nobody_anything(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing, admin: Person
) -> None:
    quota, id_ = teams["Ada"].quota(), organizing.draft(scope={"teams": ["Ada"]})["id"]
    organizing.do(id_, "start")
    beside = organizing.get(id_, "/preview")["pairs"][0]["new"]
    end(lab, beside)
    tick(lab)
    assert organizing.get(id_)["state"] == "ready"
    assert organizing.get(id_, "/preview")["pairs"][0]["comes"] is False
    assert put_back(admin, beside) == 204
    digest = organizing.get(id_, "/preview")["digest"]
    assert organizing.do(id_, "apply", 409, digest=digest)["code"] == "not_ready"
    assert score_all(lab, lambda _: 0.6) == 1
    assert organizing.do(id_, "apply", 409, digest=digest)["code"] == "board_moved"
    assert organizing.apply(id_)["changed"] == 1
    assert teams["Ada"].quota() == quota
    assert ranks(organizing.http, lab)["Ada"] == 3
