"""A row of a board when it is opened: what stands behind its values, and to whom that is told."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from contract.leases import Finish
from contract.organizers import Role
from evaluator.spec import Challenge
from server.amendments.service import amend
from server.audit.looks import Look
from server.challenges.models import Challenge as Stored
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.evaluations.models import CaseRun
from server.teams.models import Team
from tests.abuse.boards import watched
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.reevaluating import Organizing, score_all, tick
from tests.server.seeded import Season, play
from tests.server.test_forms import sign_in
from tests.server.test_leaderboard import change, scored
from tests.server.test_looks import looks
from tests.server.test_roles import give

MakeEntrant = Callable[[str], Entrant]


@pytest.fixture
def season(lab: Lab, entrant: MakeEntrant, admin: Person) -> Season:
    return play(lab, entrant, admin)


@pytest.fixture
def ada(lab: Lab, entrant: MakeEntrant) -> Entrant:
    """A team whose five cases of task5 ran and were scored."""
    lab.dataset()
    found = entrant("Ada")
    found.submit()
    lab.worker().drain()
    score_all(lab, lambda _: 0.8)
    return found


def at(lab: Lab, rest: str = "", phase: str = "validation") -> str:
    return f"/challenges/{lab.slug}/leaderboards/{phase}{rest}"


def opened(http: httpx.Client, lab: Lab, team: str = "Ada", board: str = "") -> str:
    """The opened row of a team, as everything between its own row and the next one."""
    answer = http.get(at(lab, f"{board}?track=open&open={team}"))
    assert answer.status_code == 200, answer.text
    found = re.search(r'<tr class="opened">(.*?)</details>\s*</div>\s*</td></tr>', answer.text, re.S)
    assert found is not None, answer.text
    assert not re.search("sub-0|case_[0-9a-f]", answer.text), "no case has a name here"
    return found[1]


def details(http: httpx.Client, lab: Lab, team: str = "Ada", phase: str = "validation") -> Json:
    """The same from the API."""
    answer = http.get(at(lab, "/entry", phase), params={"track": "open", "team": team})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def releases(lab: Lab, *phases: str) -> None:
    """As releasing leaves it; the act has a list of checks of its own."""
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Stored).where(Stored.slug == lab.slug).values(released=list(phases)))


def email(team: Entrant) -> str:
    return str(team.http.get("/me").json()["email"])


def test_everybody_reads_whose_image_and_which_versions_and_nothing_of_cases(
    lab: Lab, season: Season, browser: httpx.Client, nobody: httpx.Client
) -> None:
    for board in ("", "/boards/task1"):
        shown = opened(browser, lab, board=board)
        for words in (
            "one image for all 2 tasks",
            "not told",
            "How many cases failed, and whether repeated runs agree, is told to its team and to organizers alone",
            "Versions that scored it",
            "All boards: evaluator ",
            "auroc: code",
        ):
            assert words in shown, words
        for secret in ("1 of 3", "timeout", "/receipt", season.evaluations["Ada", "task1"], "Images:"):
            assert secret not in shown, secret
    found = details(nobody, lab)
    assert (found["own"], found["image"]) == (False, {"tasks": 2, "images": 1, "digests": None})
    for one in found["boards"]:
        told = ("failed", "repeated", "evaluation", "receipt", "anew_at")
        assert [one[field] for field in told] == [None] * 5
        assert one["scored_with"]["version"] == nobody.get(at(lab)).json()["version"]
    assert found["boards"][0]["scored_with"]["metrics"]["auroc"].startswith("sha256:")


def test_a_team_reads_its_own_failures_and_receipts_and_those_of_nobody_else(
    lab: Lab, season: Season, browser: httpx.Client
) -> None:
    sign_in(browser, email(season.teams["Ada"]))
    shown, evaluation = opened(browser, lab), season.evaluations["Ada", "task1"]
    assert "1 of 3<small>1 <code>timeout</code></small>" in shown
    assert "The command was still running when the time limit" in shown
    assert "Whether repeated runs agree is told to organizers alone" in shown
    assert f'href="/evaluations/{evaluation}"' in shown
    assert "Images: task1" in shown
    receipt = browser.get(f"/api/v1/evaluations/{evaluation}/receipt")
    assert f'href="{receipt.request.url.path}"' in shown
    assert receipt.status_code == 200
    other = opened(browser, lab, team="Bob")
    assert "1 of 3" not in other
    assert "/receipt" not in other
    assert details(season.teams["Bob"].http, lab)["boards"][0]["failed"] is None
    own = details(season.teams["Ada"].http, lab)
    assert own["own"]
    assert own["boards"][0]["failed"] == {"failed": 1, "cases": 3, "verdicts": {"timeout": 1}}
    assert set(own["image"]["digests"]) == {"task1", "task2"}


def test_organizers_and_observers_read_it_of_every_team_and_that_they_looked_is_recorded(
    lab: Lab, season: Season, browser: httpx.Client, admin: Person, person: Callable[..., Person]
) -> None:
    watcher = person("Watcher")
    give(lab.sessions, lab.slug, watcher, Role.OBSERVER)
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug).id
    for who in (watcher, admin):
        sign_in(browser, who.email)
        shown = opened(browser, lab, team="Bob")
        assert "1 of 3<small>1 <code>timeout</code></small>" in shown
        assert "not measured" in shown
        assert "told to" not in shown
        evaluation = season.evaluations["Bob", "task1"]
        assert f'href="/organize/{lab.slug}/submissions/{evaluation}"' in shown
        assert f"/api/v1/admin/evaluations/{evaluation}/receipt" in shown
        assert browser.get(f"/organize/{lab.slug}/submissions/{evaluation}").status_code == 200
        assert browser.get(f"/api/v1/admin/evaluations/{evaluation}/receipt").status_code == 200
        assert details(who.http, lab, team="Bob")["own"] is False
        assert [code for actor, code in looks(lab.sessions, challenge) if who.id in actor] == [Look.CASES]


def test_after_the_release_everybody_counts_failures_and_no_kinds(
    lab: Lab, season: Season, browser: httpx.Client, nobody: httpx.Client
) -> None:
    releases(lab, "validation")
    shown = opened(browser, lab)
    assert "1 of 3" in shown
    assert "repetition not measured" in shown
    assert "timeout" not in shown
    assert "/receipt" not in shown
    assert details(nobody, lab)["boards"][0]["failed"] == {"failed": 1, "cases": 3, "verdicts": None}


def test_who_stands_apart_is_said_in_a_sentence_without_the_reason(
    lab: Lab, season: Season, browser: httpx.Client
) -> None:
    assert "Ranked, and not eligible for prizes." in opened(browser, lab, team="Institute")
    assert "Members of an organizing institute" in opened(browser, lab, team="Institute")
    assert "shown with its values and never ranked" in opened(browser, lab, team="Zero")
    cheats = opened(browser, lab, team="Cheats")
    assert "Disqualified: out of the ranking and shown with its values" in cheats
    assert "last year" not in cheats
    assert "prize" not in opened(browser, lab)


def test_a_board_says_that_an_entry_was_taken_off_and_neither_whose_nor_why(
    lab: Lab, season: Season, admin: Person, browser: httpx.Client
) -> None:
    organize, evaluation = f"/organize/{lab.slug}", season.evaluations["Bob", "task1"]
    why = {"why": "It answered with the labels of Bob."}
    taken = admin.http.post(f"{organize}/evaluations/{evaluation}/void", json=why)
    assert taken.status_code == 200, taken.text

    def head(board: str) -> str:
        shown = browser.get(at(lab, f"{board}?track=open&sort=team")).text
        return " ".join(re.findall(r'<details class="amended">.*?</details>', shown, re.S))

    for board in ("", "/boards/task1"):
        assert "Validation: task1: an evaluation was taken off the leaderboard" in head(board)
        assert "Bob" not in head(board)
    decided = admin.http.post(
        f"{organize}/teams/{season.teams['Cyd'].team}/decisions", json={"decision": "disqualify", **why}
    )
    assert decided.status_code == 200, decided.text
    for board in ("", "/boards/task1"):
        assert "a team was disqualified; its values are shown without a place" in head(board)
        assert not {"Bob", "Cyd", "labels"} & set(re.findall(r"\w+", head(board)))
    assert "Disqualified: out of the ranking" in opened(browser, lab, team="Cyd")
    sign_in(browser, email(season.teams["Cyd"]))
    assert why["why"] in browser.get(f"/challenges/{lab.slug}/team").text, "its team reads why"


def test_what_is_on_no_board_has_nothing_to_open(lab: Lab, season: Season, nobody: httpx.Client) -> None:
    with unit_of_work(lab.sessions) as session:
        cyd = UUID(season.teams["Cyd"].team)
        session.execute(update(Team).where(Team.id == cyd).values(hidden=True))
    for name in ("Cyd", str(cyd), "nobody", "\0"):
        answer = nobody.get(at(lab, "/entry"), params={"track": "open", "team": name})
        assert answer.status_code in ((404,) if name != "\0" else (422,)), answer.text
    assert details(nobody, lab, team=season.teams["Ada"].team)["team"] == "Ada"
    missing = nobody.get(at(lab, "/entry"), params={"track": "method", "team": "Ada"})
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_entry")
    no_track = nobody.get(at(lab, "/entry"), params={"track": "no", "team": "Ada"})
    assert (no_track.status_code, no_track.json()["code"]) == (404, "unknown_track")
    assert nobody.get(at(lab, "/entry", "sanity"), params={"team": "Ada"}).status_code == 404


def test_nothing_stands_behind_a_sealed_board_nor_behind_what_came_after_a_freeze(
    lab: Lab, ada: Entrant, admin: Person, nobody: httpx.Client, fomo26: Challenge
) -> None:
    freezes = {"freezes": datetime(2026, 6, 20, tzinfo=UTC)}
    phases = dict(fomo26.phases)
    phases["validation"] = phases["validation"].model_copy(update=freezes)
    change(lab, fomo26, phases=phases)
    for http in (nobody, ada.http):
        assert http.get(at(lab, "/entry"), params={"track": "open", "team": "Ada"}).status_code == 404
        assert http.get(at(lab, "/entry", "test"), params={"team": "Ada"}).status_code == 403
    assert details(admin.http, lab)["boards"][0]["failed"]["cases"] == 5
    releases(lab, "validation")
    assert details(nobody, lab)["boards"][0]["failed"] == {"failed": 0, "cases": 5, "verdicts": None}


@pytest.fixture
def organizing(lab: Lab, admin: Person) -> Organizing:
    return Organizing(lab, admin.http)


def rerun(lab: Lab, organizing: Organizing, *, differing: int) -> str:
    """A re-evaluation that ran every case twice, so many of them with another output; its id."""
    id_ = str(organizing.draft(mode="rerun", repetitions=2, scope={"teams": ["Ada"]})["id"])
    organizing.do(id_, "start")
    worker = lab.worker()
    while (lease := worker.lease()) is not None:
        with unit_of_work(lab.sessions) as session:
            run = session.get_one(CaseRun, UUID(lease["case_run"]))
            other = run.evaluation.repetition == 2 and int(run.case.name.removeprefix("sub-")) < differing
        output = worker.output(lease, b"0.7\n" if other else b"0.5\n")
        said = Finish.model_validate({"message": "", "seconds": 1.5, "output": output})
        assert worker.call("POST", lease, "finish", json=said.model_dump(mode="json")).status_code == 204
    score_all(lab, lambda _: 0.8)
    tick(lab)
    return id_


def runs_of(http: httpx.Client, lab: Lab) -> Mapping[str, Any]:
    return dict(next(one for one in details(http, lab)["boards"] if one["board"] == "task5"))


@pytest.mark.parametrize(("differing", "said"), [(0, "agree on 5 cases"), (2, "differ on 2 of 5 cases")])
def test_repeated_runs_are_told_to_organizers_and_once_applied_and_released_to_everybody(
    lab: Lab,
    ada: Entrant,
    organizing: Organizing,
    nobody: httpx.Client,
    browser: httpx.Client,
    differing: int,
    said: str,
) -> None:
    releases(lab, "validation")
    before = opened(browser, lab)
    id_ = rerun(lab, organizing, differing=differing)
    assert opened(browser, lab) == before, "nothing that others see moves before it is applied"
    measured = {"cases": 5, "differing": differing}
    assert runs_of(nobody, lab)["repeated"] == {"cases": 0, "differing": 0}
    assert runs_of(organizing.http, lab)["repeated"] == measured
    organizing.apply(id_)
    found = runs_of(nobody, lab)
    assert found["repeated"] == measured
    assert found["amended"] == [], "it was made after what its amendments tell of"
    shown = opened(browser, lab)
    for words in (said, "repeated runs differ" if differing else ">deterministic<", "made anew"):
        assert words in shown, words
    again = organizing.ready(lambda _: 0.9, scope={"teams": ["Ada"]})
    organizing.apply(again)
    assert runs_of(nobody, lab)["repeated"] == measured, "by the one in whose place it came"
    releases(lab)
    assert runs_of(nobody, lab)["repeated"] is None
    with unit_of_work(lab.sessions) as session:
        session.execute(update(CaseRun).values(output=None))
    assert runs_of(organizing.http, lab)["repeated"] == {"cases": 0, "differing": 0}, (
        "swept outputs say nothing"
    )


def test_what_is_scored_otherwise_says_in_what_and_what_was_amended_since(
    lab: Lab, season: Season, browser: httpx.Client, nobody: httpx.Client
) -> None:
    lab.dataset("task2", cases=3)
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        about = {"phase": "validation", "task": "task2", "by": "tests"}
        amend(session, challenge, what="One label of task2 corrected", why="It was turned", **about)
    first, second = details(nobody, lab)["boards"]
    assert (first["board"], first["differs"], first["amended"]) == ("task1", [], [])
    assert (second["differs"], [one["what"] for one in second["amended"]]) == (
        ["dataset"],
        ["One label of task2 corrected"],
    )
    shown = opened(browser, lab)
    for words in (
        "scored otherwise",
        "Not of what counts now: dataset",
        "amended since",
        "One label of task2 corrected, because: It was turned",
        f'href="/challenges/{lab.slug}#amendments"',
    ):
        assert words in shown, words
    assert "one image" not in shown, "one task alone counts"


def test_an_opened_row_costs_the_same_statements_for_more_teams(
    lab: Lab, ada: Entrant, entrant: MakeEntrant, browser: httpx.Client
) -> None:
    def counted(rest: str) -> int:
        with watched(lab.sessions) as asked:
            assert browser.get(at(lab, rest)).status_code == 200
        return len(asked.said)

    sign_in(browser, email(ada))
    rests = ("?track=open&open=Ada", "/boards/task5?track=open&open=Ada")
    few = [counted(rest) for rest in rests]
    for number in range(4):
        scored(lab, entrant(f"Other {number}"), 0.5)
    many = [counted(rest) for rest in rests]
    assert 5 < max(many) <= max(few) <= 40
    with watched(lab.sessions) as asked:
        details(ada.http, lab)
    assert len(asked.said) <= 25
    with watched(lab.sessions) as asked:
        assert browser.get(at(lab, "?track=open&sort=team")).status_code == 200
    assert not asked.about("receipts"), "what stands behind a row is read where one is opened"
