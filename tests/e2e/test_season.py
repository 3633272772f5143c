"""A whole season over HTTP, decided with an organizer's token: every board is looked at after every act."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluator.signing import verify
from evaluator.spec import Challenge
from tests.e2e.conftest import HERE, Join
from tests.e2e.datasets import write_task
from tests.e2e.installation import Installation
from tests.e2e.people import Json, Person
from worker.admin.send_dataset import packed

SLUG = "season"
WHY = "The labels of three cases were swapped."
OPPOSITE = {"0.0\n": "1.0\n", "1.0\n": "0.0\n"}
FIRST, SECOND = "500 USD", "300 USD"
PATIENCE = 120.0
Places = dict[str, int | None]


def challenge_of_season(fomo26: Challenge) -> Challenge:
    """FOMO26 with one task, in which only the sanity phase is open."""
    phases = {
        name: phase if name == "sanity" else phase.model_copy(update={"opens": None})
        for name, phase in fomo26.phases.items()
    }
    ranking = fomo26.ranking.model_copy(update={"weights": {"task5": 1.0}})
    changes = {"tasks": {"task5": fomo26.tasks["task5"]}, "boards": {"task5": fomo26.boards["task5"]}}
    return fomo26.model_copy(
        update={"challenge": SLUG, "title": "A season", "phases": phases, "ranking": ranking, **changes}
    )


def swap_labels(folder: Path) -> None:
    """The labels of three of the four cases become their opposite."""
    for file in sorted(folder.glob("labels/*/*/label.txt"))[:3]:
        file.write_text(OPPOSITE[file.read_text()])


@dataclass(frozen=True)
class Season:
    """What an organizer does with a token that cannot submit, and what a stranger sees of it."""

    organizer: httpx.Client
    stranger: httpx.Client

    def ask(self, path: str) -> Json:
        answer = self.organizer.get(f"/organize/{SLUG}/{path}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def do(self, path: str, **body: Any) -> Json:
        answer = self.organizer.post(f"/organize/{SLUG}/{path}", json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def refused(self, path: str, **body: Any) -> str:
        answer = self.organizer.post(f"/organize/{SLUG}/{path}", json=body)
        assert answer.status_code == 409, answer.text
        return str(answer.json()["code"])

    def places(self, phase: str = "validation", *, of: httpx.Client | None = None) -> Places:
        """Places as everybody sees them."""
        answer = (of or self.stranger).get(f"/challenges/{SLUG}/leaderboards/{phase}")
        assert answer.status_code == 200, answer.text
        track = next(track for track in answer.json()["tracks"] if track["track"] == "open")
        return {row["team"]: row["placement"] for row in track["unified"]}

    def is_as_it_opened(self) -> bool:
        """Whether what decides the validation phase's scores is what everybody was promised when it opened."""
        plan = self.stranger.get(f"/challenges/{SLUG}/phases/validation/commitments").json()["plan"]
        return bool(plan["digest"] == plan["now"])

    def amendments(self) -> list[tuple[str, str | None]]:
        """What everybody reads and the reasons, the oldest first."""
        told = self.stranger.get(f"/challenges/{SLUG}/amendments").json()
        return [(one["what"], one["why"]) for one in reversed(told)]

    def reevaluated(self, dataset: str) -> Json:
        """The preview of a re-evaluation on other cases, once the score worker has made all of it."""
        wanted = {"mode": "rescore", "why": WHY, "scope": {"phases": ["validation"]}, "datasets": [dataset]}
        drafted = self.do("reevaluations", **wanted)
        path, before = f"reevaluations/{drafted['id']}", self.places()
        assert drafted["plan"]["sentence"] == "2 evaluations of 8 cases: no container runs."
        self.do(f"{path}/start")
        deadline = time.monotonic() + 120
        while (state := self.ask(path)["state"]) != "ready":
            assert (state, self.places()) == ("running", before)
            assert time.monotonic() < deadline, self.ask(path)
            time.sleep(0.2)
        assert self.places() == before
        return self.ask(f"{path}/preview") | {"path": path}


@dataclass(frozen=True)
class Teams:
    """Two teams with an image each: one whose answers are right, and one that says the opposite."""

    right: Person
    contrary: Person
    images: dict[str, str]

    def submit(self, *people: Person, phase: str) -> None:
        sent = {
            person: person.submitted({"task5": self.images[person.team]}, phase=phase) for person in people
        }
        for person, submission in sent.items():
            (evaluation,) = person.wait(submission)["evaluations"]
            assert evaluation["status"] == "scored", evaluation


@pytest.fixture(scope="module")
def folder(running: Installation, fomo26: Challenge, place: Path) -> Path:
    """The challenge with its cases, the labels of which are wrong in the validation phase; that folder."""
    spec, root = challenge_of_season(fomo26), place / "season"
    running.apply(spec)
    validation = write_task(spec, "task5", root / "validation")
    swap_labels(validation)
    running.import_task(SLUG, "validation", "task5", validation)
    for seed, phase in enumerate(("sanity", "test"), start=7):
        running.import_task(SLUG, phase, "task5", write_task(spec, "task5", root / phase, seed=seed))
    return validation


@pytest.fixture(scope="module")
def teams(folder: Path, join: Join, honest: Path, image: Callable[..., Path]) -> Teams:
    archives = {"Right": honest, "Contrary": image(HERE / "honest.py", "ANSWERS=contrary")}
    people = {join(name, SLUG): archive for name, archive in archives.items()}
    sent = {person: person.send(archive) for person, archive in people.items()}
    images = {person.team: str(person.checked(upload)["image"]) for person, upload in sent.items()}
    return Teams(*people, images)


@pytest.fixture(scope="module")
def season(folder: Path, running: Installation, admin: Person, join: Join) -> Iterator[Season]:
    """An admin names the organizer; a token of theirs that may organize does all the rest."""
    somebody = join(None)
    email = somebody.get("/me")["email"]
    named = admin.http.put(
        f"/organize/{SLUG}/organizers", json={"email": email, "role": "organizer", "yes": True}
    )
    assert named.status_code == 200, named.text
    token = somebody.http.post("/tokens", json={"name": "season", "scopes": ["read", "organize"]}).json()[
        "token"
    ]
    address = f"{running.url}/api/v1"
    headers = {"Authorization": f"Bearer {token}"}
    with (
        httpx.Client(base_url=address, headers=headers, timeout=60) as organizer,
        httpx.Client(base_url=address, timeout=60) as stranger,
    ):
        yield Season(organizer, stranger)


def staged(folder: Path, season: Season) -> str:
    """The corrected cases beside those in force, made by a score worker of what the organizer sends."""
    swap_labels(folder)
    place: dict[str, Any] = {"phase": "validation", "task": "task5", "accept": True}
    sent = season.organizer.post(f"/organize/{SLUG}/datasets", params=place, content=packed(folder))
    assert sent.status_code == 202, sent.text
    until = time.monotonic() + PATIENCE
    while not (found := season.ask(f"consignments/{sent.json()['id']}"))["ended_at"]:
        assert time.monotonic() < until, found
        time.sleep(0.2)
    assert found["refused"] is None, found
    return str(found["made"]["id"])


def test_a_season_is_decided_by_an_organizer_from_its_first_case_to_its_receipts(
    folder: Path, season: Season, teams: Teams
) -> None:
    teams.submit(teams.right, phase="sanity")
    season.do("phases/validation/dates", opens="now", why="We begin.")
    teams.submit(teams.right, teams.contrary, phase="validation")
    wrong, right = {"Contrary": 1, "Right": 2}, {"Right": 1, "Contrary": 2}
    assert season.places() == wrong

    labels_are_corrected(season, staged(folder, season), wrong, right)
    contrary_is_disqualified(season, teams)
    the_test_phase_is_released(season, teams)
    a_stranger_answers_for_the_numbers(season, teams)


def labels_are_corrected(season: Season, dataset: str, wrong: Places, right: Places) -> None:
    preview = season.reevaluated(dataset)
    (phase,) = (phase for phase in preview["boards"]["phases"] if phase["phase"] == "validation")
    (track,) = (track for track in phase["tracks"] if track["track"] == "open")
    moves = {
        team["team"]: (team["place_before"], team["place_after"], team["prize_before"], team["prize_after"])
        for team in track["teams"]
    }
    assert moves == {"Right": (2, 1, SECOND, FIRST), "Contrary": (1, 2, FIRST, SECOND)}
    assert {team["cause"] for team in track["teams"]} == {"both"}
    apply = f"{preview['path']}/apply"
    assert season.refused(apply, digest="sha256:" + "0" * 64) == "board_moved"
    assert season.places() == wrong
    assert season.is_as_it_opened()
    assert season.do(apply, digest=preview["digest"], why=WHY)["changed"] == 2
    assert season.places() == right
    assert not season.is_as_it_opened()
    season.do(f"{preview['path']}/revert", why="We look at the labels once more.")
    assert season.places() == wrong
    assert season.is_as_it_opened()
    again = season.reevaluated(dataset)
    season.do(f"{again['path']}/apply", digest=again["digest"], why=WHY)
    assert season.places() == right


def contrary_is_disqualified(season: Season, teams: Teams) -> None:
    path, wanted = (
        f"teams/{teams.contrary.team}/decisions",
        {"decision": "disqualify", "why": "Two accounts."},
    )
    plan = season.do(f"{path}/plan", **wanted)
    assert any("Contrary: 2 → no place" in sentence for sentence in plan["shifts"]["sentences"]), plan[
        "shifts"
    ]
    assert season.places() == {"Right": 1, "Contrary": 2}, "a plan changes nothing"
    season.do(path, **wanted, seen=plan["shifts"]["digest"])
    assert season.places() == {"Right": 1, "Contrary": None}
    season.do("phases/validation/dates", closes="now", why="It is over.")


def the_test_phase_is_released(season: Season, teams: Teams) -> None:
    season.do("phases/test/dates", opens="now", why="The last phase.")
    refused = teams.contrary.submit({"task5": teams.images[teams.contrary.team]}, phase="test")
    assert refused.json()["code"] == "team_disqualified"
    teams.submit(teams.right, phase="test")
    sealed = season.stranger.get(f"/challenges/{SLUG}/leaderboards/test")
    assert sealed.json()["code"] == "board_sealed"
    assert season.places("test", of=season.organizer) == {"Right": 1}
    assert season.refused("phases/test/release") == "board_not_final"
    season.do("phases/test/dates", closes="now", why="It is over.")
    found = season.ask("phases/test/release")
    assert {check["check"]: check["found"] for check in found["checks"] if check["state"] != "ok"} == {}
    assert found["awards"] == [f"Track open: Right wins {FIRST}, place 1."]
    season.do("phases/test/release")
    assert season.places("test") == {"Right": 1}


def a_stranger_answers_for_the_numbers(season: Season, teams: Teams) -> None:
    told = season.amendments()
    for what, why, times in (
        ("2 evaluations made anew count in place of those that did", WHY, 2),
        ("2 evaluations count again as they did before", "We look at the labels once more.", 1),
        ("another version of the cases counts (4 cases) instead of the one before (4)", WHY, 2),
        ("a team was disqualified", None, 1),
        ("Test: the leaderboard is released", None, 1),
    ):
        assert sum(what in said and why == because for said, because in told) == times, told
    assert "Contrary" not in str(told)
    evaluation = teams.right.get(f"/challenges/{SLUG}/submissions")[1]["evaluations"][0]["id"]
    receipt = season.organizer.get(f"/admin/evaluations/{evaluation}/receipt").json()
    key = season.stranger.get("/receipts/key").json()["key"]
    assert verify(receipt["statement"], receipt["signature"], key)
    assert receipt["statement"]["replaces"], "it was made anew, and says of what"
    assert receipt["statement"]["scores"]["task5"]["auroc"] == 1.0
