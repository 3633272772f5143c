"""Editions: a released leaderboard is kept as it was shown, at the release and at each act that changes it."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.organizers import Role
from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.current import lock
from server.editions.keeping import keep_found
from server.editions.models import Edition
from server.evaluations.models import Evaluation
from server.organizers.models import ChallengeRole
from server.teams.models import Team
from tests.abuse.boards import watched
from tests.server.conftest import Person
from tests.server.deciding import Desk
from tests.server.deciding import refused as refused_with
from tests.server.lab import Entrant, Json, Lab
from tests.server.reevaluating import Organizing, score_all
from tests.server.test_leaderboard import board, change, entries, scored
from tests.server.test_plans_http import text_of

VALUES = {"Ada": 0.9, "Bob": 0.8, "Cyd": 0.7}
MakeEntrant = Callable[[str], Entrant]


class Editions:
    """The test phase of the lab's challenge, which is open, and what is asked and done about its leaderboard."""

    def __init__(self, lab: Lab, admin: httpx.Client) -> None:
        self.lab, self.admin, self.desk = lab, admin, Desk(admin, lab.slug)

    def act(self, what: str, **body: object) -> None:
        answer = self.admin.post(f"/organize/{self.lab.slug}/phases/test/{what}", json=body)
        assert answer.status_code == 200, answer.text

    def release(self) -> None:
        self.act("release", force=True, why="A talk.")

    def ask(self, http: httpx.Client, rest: str = "", **params: object) -> httpx.Response:
        return http.get(f"/challenges/{self.lab.slug}/phases/test/editions{rest}", params=params)

    def all(self, http: httpx.Client) -> list[Json]:
        answer = self.ask(http)
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def since(self, http: httpx.Client, number: int = 1, **params: object) -> Json:
        answer = self.ask(http, f"/{number}/differences", track="open", **params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def moves(self, http: httpx.Client, number: int = 1) -> dict[str | None, tuple[int | None, int | None]]:
        return {
            one["team"]: (one["place_then"], one["place_now"]) for one in self.since(http, number)["teams"]
        }


@pytest.fixture
def editions(lab: Lab, admin: Person, fomo26: Challenge) -> Editions:
    phases = dict(fomo26.phases)
    opened = {"opens": phases["sanity"].opens, "closes": datetime.now(UTC) + timedelta(days=1)}
    phases["test"] = phases["test"].model_copy(update=opened)
    change(lab, fomo26, phases=phases)
    lab.dataset(phase="test")
    return Editions(lab, admin.http)


@pytest.fixture
def teams(editions: Editions, entrant: MakeEntrant) -> dict[str, Entrant]:
    """Three teams with an evaluation of the test phase each, made from reports as score workers make them."""
    found = {name: entrant(name) for name in VALUES}
    for one in found.values():
        one.submit(phase="test")
    editions.lab.worker().drain()
    score_all(editions.lab, valued(found, VALUES))
    return found


def valued(teams: Mapping[str, Entrant], values: Mapping[str, float]) -> Callable[[Evaluation], float]:
    by_team = {UUID(team.team): values[name] for name, team in teams.items()}
    return lambda evaluation: by_team[evaluation.team_id]


def stored(session: Session, slug: str) -> list[Edition]:
    challenge = get_challenge(session, slug)
    query = select(Edition).where(Edition.challenge_id == challenge.id).order_by(Edition.number)
    return list(session.scalars(query))


def test_the_first_edition_is_what_everybody_sees_at_the_release_and_nothing_before(
    editions: Editions, teams: dict[str, Entrant], nobody: httpx.Client
) -> None:
    assert editions.desk.decide(teams["Cyd"], "disqualify").status_code == 200
    with unit_of_work(editions.lab.sessions) as session:
        assert stored(session, editions.lab.slug) == [], "what is sealed is never kept"
    refused_with(editions.ask(nobody), "board_sealed")
    editions.release()
    shown, (first,) = board(nobody, editions.lab, "test"), editions.all(nobody)
    assert (first["number"], first["cause"], first["what"]) == (1, "released", [])
    assert first["title"].startswith("release of ")
    with unit_of_work(editions.lab.sessions) as session:
        kept = stored(session, editions.lab.slug)[0]
        places, boards = kept.places.tracks["open"], kept.boards.tracks["open"]
        named = {str(row.id): row.name for row in session.execute(select(Team.id, Team.name))}
    assert [(named[one.team], one.place, one.overall) for one in places] == [
        (one["team"], one["placement"], one["overall"]) for one in shown["unified"]
    ]
    assert {named[one.team]: (one.rank, one.values) for one in boards["task5"].entries} == {
        name: (one["rank"], [metric["value"] for metric in one["metrics"].values()])
        for name, one in entries(shown).items()
    }
    same = editions.since(nobody)
    assert (same["moved"], same["total"], same["later"]) == (0, 2, [])
    assert [one["why"] for one in same["teams"]] == [None, None]


def test_a_reevaluation_that_is_applied_and_its_way_back_are_editions(
    editions: Editions, teams: dict[str, Entrant], nobody: httpx.Client
) -> None:
    editions.release()
    organizing = Organizing(editions.lab, editions.admin)
    upside_down = {"Ada": 0.1, "Bob": 0.2, "Cyd": 0.3}
    made = organizing.ready(valued(teams, upside_down), scope={"phases": ["test"]})
    assert len(editions.all(nobody)) == 1, "what is made beside the board changes nothing of it"
    organizing.apply(made)
    second = editions.all(nobody)[0]
    assert (second["number"], second["cause"]) == (2, "changed")
    assert second["what"] == [
        "Test, Polymicrogyria classification: 3 evaluations made anew count in place of those that did"
    ]
    assert editions.moves(nobody) == {"Cyd": (3, 1), "Bob": (2, 2), "Ada": (1, 3)}
    since = editions.since(nobody)
    assert (since["moved"], [one["number"] for one in since["later"]]) == (2, [2])
    ada = since["teams"][2]
    assert ada["why"] == "its own values on task5 changed"
    own = ada["boards"][0]
    assert (own["board"], own["rank_then"], own["rank_now"], own["changed"]) == ("task5", 1, 3, True)
    assert (own["values_then"]["auroc"], own["values_now"]["auroc"]) == (0.9, 0.1)
    organizing.do(made, "revert", why="it was right")
    assert [one["number"] for one in editions.all(nobody)] == [3, 2, 1]
    assert editions.since(nobody)["moved"] == 0, "it is what was released"
    assert editions.moves(nobody, 2) == {"Ada": (3, 1), "Bob": (2, 2), "Cyd": (1, 3)}
    digests = [one["digest"] for one in editions.all(nobody)]
    assert digests[0] == digests[2] != digests[1]


def test_each_decision_that_changes_a_released_board_is_an_edition_and_no_other_act_is(
    editions: Editions, teams: dict[str, Entrant], nobody: httpx.Client
) -> None:
    editions.release()
    assert editions.desk.decide(teams["Bob"], "rename", name="Bobby").status_code == 200
    assert editions.desk.decide(teams["Bob"], "ineligible").status_code == 200
    assert len(editions.all(nobody)) == 1, "no place, rank or value is another"
    assert editions.desk.decide(teams["Ada"], "disqualify").status_code == 200
    assert editions.all(nobody)[0]["what"] == [
        "Test: a team was disqualified; its values are shown without a place"
    ]
    assert editions.moves(nobody) == {"Bobby": (2, 1), "Cyd": (3, 2), "Ada": (1, None)}
    whys = {one["team"]: one["why"] for one in editions.since(nobody)["teams"]}
    assert whys == {"Bobby": "others moved", "Cyd": whys["Bobby"], "Ada": "disqualified"}
    answer = editions.admin.patch(f"/admin/teams/{teams['Ada'].team}", json={"disqualified": None})
    assert answer.status_code == 200, answer.text
    assert editions.all(nobody)[0]["what"] == ["the organizers changed how a team stands"]
    assert editions.since(nobody)["moved"] == 0


def test_who_is_taken_off_is_named_no_more_and_who_was_merged_is_the_other_team(
    editions: Editions, teams: dict[str, Entrant], entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    dan = entrant("Dan")
    editions.release()
    assert editions.desk.decide(teams["Bob"], "hide").status_code == 200
    since = editions.since(nobody)
    gone = next(one for one in since["teams"] if one["team"] is None)
    assert (gone["place_then"], gone["place_now"], gone["why"]) == (2, None, "no longer listed")
    assert (gone["overall_then"], gone["boards"]) == (None, [])
    assert "Bob" not in editions.ask(nobody, "/1/differences").text
    merged = editions.desk.decide(teams["Ada"], "merge", into=dan.team)
    assert merged.status_code == 200, merged.text
    assert editions.moves(nobody) == {"Dan": (1, 1), "Cyd": (3, 2), None: (2, None)}
    assert "Ada" not in editions.ask(nobody, "/1/differences").text
    both = editions.desk.decide(teams["Cyd"], "merge", into=dan.team, counts="into")
    assert both.status_code == 200, both.text
    assert editions.moves(nobody)["Dan"] == (1, 1), "its own place then, not the other's"
    assert [one["team"] for one in editions.since(nobody)["teams"]].count(None) == 2


def test_who_is_erased_is_in_no_edition_by_name(
    editions: Editions, teams: dict[str, Entrant], nobody: httpx.Client
) -> None:
    editions.release()
    me = teams["Ada"].http.get("/me").json()
    body = {"email": me["email"], "team_names": "pseudonym", "why": "They asked for it"}
    erased = editions.admin.post(f"/admin/users/{me['id']}/erasure", json=body)
    assert erased.status_code == 200, erased.text
    pseudonym = f"Team {teams['Ada'].team[-8:]}"
    assert editions.moves(nobody)[pseudonym] == (1, 1)
    assert "Ada" not in editions.ask(nobody, "/1/differences").text
    with unit_of_work(editions.lab.sessions) as session:
        kept = session.execute(
            text(
                "SELECT editions::text FROM editions JOIN challenges ON challenges.id = challenge_id WHERE slug = :slug"
            ),
            {"slug": editions.lab.slug},
        ).scalar_one()
    assert "Ada" not in kept
    assert me["id"] not in kept


def test_results_that_come_in_after_an_early_release_are_told_with_the_next_edition(
    editions: Editions, teams: dict[str, Entrant], entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    editions.release()
    scored(editions.lab, entrant("Eve"), 0.95, phase="test")
    assert len(editions.all(nobody)) == 1
    assert editions.moves(nobody)["Eve"] == (None, 1)
    assert editions.desk.decide(teams["Cyd"], "disqualify").status_code == 200
    assert editions.all(nobody)[0]["what"] == [
        "Test: a team was disqualified; its values are shown without a place",
        "results were scored since the edition before",
    ]


def test_editions_are_hidden_with_the_board_and_a_second_release_is_another(
    editions: Editions, teams: dict[str, Entrant], nobody: httpx.Client, person: Callable[..., Person]
) -> None:
    observer, stranger = person("Olga"), person("Sam")
    with unit_of_work(editions.lab.sessions) as session:
        challenge = get_challenge(session, editions.lab.slug)
        where = {"challenge_id": challenge.id, "user_id": UUID(observer.id)}
        session.add(ChallengeRole(**where, role=Role.OBSERVER, named_by="tests"))
    editions.release()
    assert len(editions.all(stranger.http)) == len(editions.all(nobody)) == 1
    editions.act("unrelease")
    for asker in (nobody, stranger.http, teams["Ada"].http):
        for rest in ("", "/1/differences"):
            refused_with(editions.ask(asker, rest), "board_sealed")
    assert len(editions.all(observer.http)) == 1
    assert editions.since(observer.http)["moved"] == 0
    assert editions.desk.decide(teams["Ada"], "disqualify").status_code == 200
    assert len(editions.all(observer.http)) == 1, "nobody was shown that"
    editions.release()
    assert [(one["number"], one["cause"]) for one in editions.all(nobody)] == [
        (2, "released"),
        (1, "released"),
    ]
    assert editions.moves(nobody)["Ada"] == (1, None)
    refused_with(editions.ask(nobody, "/3/differences"), "unknown_edition")


def test_a_frozen_board_whose_release_is_taken_back_shows_no_edition(
    editions: Editions, entrant: MakeEntrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    freezes = datetime.now(UTC) - timedelta(hours=1)
    frozen = fomo26.phases["validation"].model_copy(update={"freezes": freezes})
    change(editions.lab, fomo26, phases={**fomo26.phases, "validation": frozen})
    scored(editions.lab, entrant("Ada"), 0.9)
    at = f"/challenges/{editions.lab.slug}/phases/validation/editions"
    body = {"force": True, "why": "A talk."}
    act = f"/organize/{editions.lab.slug}/phases/validation"
    assert nobody.get(at).json() == []
    assert editions.admin.post(f"{act}/release", json=body).status_code == 200
    assert [one["number"] for one in nobody.get(at).json()] == [1]
    assert editions.admin.post(f"{act}/unrelease", json={}).status_code == 200
    assert nobody.get(f"/challenges/{editions.lab.slug}/leaderboards/validation").status_code == 200
    assert nobody.get(at).json() == []
    refused_with(nobody.get(f"{at}/1/differences"), "unknown_edition")


def test_another_rule_in_the_file_is_an_edition(
    editions: Editions,
    teams: dict[str, Entrant],
    entrant: MakeEntrant,
    nobody: httpx.Client,
    fomo26: Challenge,
) -> None:
    scored(editions.lab, entrant("Dan"), 0.9, phase="test")
    editions.release()
    assert editions.moves(nobody) == {"Ada": (1, 1), "Dan": (1, 1), "Bob": (3, 3), "Cyd": (4, 4)}
    with unit_of_work(editions.lab.sessions) as session:
        present = get_challenge(session, editions.lab.slug).spec
    body = {"file": text_of(present, editions.lab.slug), "confirmed": True, "why": "as it was announced"}
    renamed = editions.admin.post("/admin/challenges", json={**body, "overlay": "title: Another name"})
    assert (renamed.status_code, len(editions.all(nobody))) == (200, 1), "no place is another"
    answer = editions.admin.post("/admin/challenges", json={**body, "overlay": "ranking: {ties: dense}"})
    assert answer.status_code == 200, answer.text
    assert editions.moves(nobody) == {"Ada": (1, 1), "Dan": (1, 1), "Bob": (3, 2), "Cyd": (4, 3)}
    (second, first) = editions.all(nobody)
    assert "ranking.ties min → dense" in second["what"][0]
    assert second["version"] != first["version"]
    assert {one["why"] for one in editions.since(nobody)["teams"]} == {
        None,
        "others moved, or the rule changed",
    }


def test_an_entry_that_is_voided_is_an_edition(
    editions: Editions, teams: dict[str, Entrant], nobody: httpx.Client
) -> None:
    editions.release()
    with unit_of_work(editions.lab.sessions) as session:
        own = session.scalar(select(Evaluation.id).where(Evaluation.team_id == UUID(teams["Ada"].team)))
    voided = editions.desk.post(f"evaluations/{EvaluationId(own)}/void")
    assert voided.status_code == 200, voided.text
    assert editions.moves(nobody) == {"Bob": (2, 1), "Cyd": (3, 2), "Ada": (1, None)}
    assert {one["team"]: one["why"] for one in editions.since(nobody)["teams"]}["Ada"] == (
        "nothing that counts any more"
    )
    assert editions.all(nobody)[0]["what"] == ["Test: task5: an evaluation was taken off the leaderboard"]


def test_a_board_that_was_released_before_gets_its_first_edition_by_the_clock_once(
    editions: Editions, teams: dict[str, Entrant], nobody: httpx.Client
) -> None:
    editions.release()
    with unit_of_work(editions.lab.sessions) as session:
        session.execute(
            text("SET LOCAL session_replication_role = replica")
        )  # the table refuses it otherwise
        challenge = get_challenge(session, editions.lab.slug)
        session.execute(delete(Edition).where(Edition.challenge_id == challenge.id))
    keep_found(editions.lab.sessions)
    assert [(one["number"], one["cause"]) for one in editions.all(nobody)] == [(1, "found")]
    assert keep_found(editions.lab.sessions) == 0
    with unit_of_work(editions.lab.sessions) as session, pytest.raises(DatabaseError, match="append-only"):
        session.execute(delete(Edition).where(Edition.challenge_id == challenge.id))
    session.rollback()


def test_a_bundle_has_every_edition(editions: Editions, teams: dict[str, Entrant]) -> None:
    editions.release()
    assert editions.desk.decide(teams["Bob"], "hide").status_code == 200
    answer = editions.admin.get(f"/organize/{editions.lab.slug}/phases/test/bundle", timeout=300)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        (readme,) = [name for name in bundle.namelist() if name.endswith("README.md")]
        root = readme.removesuffix("README.md")
        first, second = (json.loads(bundle.read(f"{root}editions/{number}.json")) for number in (1, 2))
    assert (first["cause"], second["cause"]) == ("released", "changed")
    open_track = first["tracks"]["open"]
    assert [(one["team"], one["place"]) for one in open_track["places"]] == [
        ("Ada", 1),
        (None, 2),
        ("Cyd", 3),
    ]
    assert [one["team"] for one in open_track["boards"]["task5"]["entries"]] == ["Ada", "Cyd"]
    assert [one["place"] for one in second["tracks"]["open"]["places"]] == [1, 2]


def test_an_act_that_fails_keeps_nothing(editions: Editions, teams: dict[str, Entrant]) -> None:
    editions.release()
    refused_with(editions.desk.decide(teams["Ada"], "disqualify", seen="sha256:" + "0" * 64), "board_moved")
    with unit_of_work(editions.lab.sessions) as session:
        assert len(stored(session, editions.lab.slug)) == 1


def test_more_editions_and_teams_cost_no_more_statements(
    editions: Editions, teams: dict[str, Entrant], entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    editions.release()
    counts = []
    for decision in ("disqualify", "reinstate"):
        counts.append([])
        for rest in ("", "/1/differences"):
            with watched(editions.lab.sessions) as asked:
                assert editions.ask(nobody, rest, track="open").status_code == 200
            counts[-1].append(len(asked.said))
        assert editions.desk.decide(teams["Ada"], decision).status_code == 200
        for name in ("Kim", "Lou"):
            scored(editions.lab, entrant(f"{name} {decision}"), 0.5, phase="test")
    assert len(editions.all(nobody)) == 3
    assert max(map(max, counts)) <= 25
    assert counts[1][0] <= counts[0][0]
    listed = editions.since(nobody, limit=2, offset=1)
    assert (listed["total"], listed["offset"], len(listed["teams"])) == (7, 1, 2)


def test_whatever_of_a_file_shows_on_the_board_is_an_edition_though_it_is_no_amendment(
    editions: Editions, teams: dict[str, Entrant], nobody: httpx.Client
) -> None:
    editions.release()
    with unit_of_work(editions.lab.sessions) as session:
        present = get_challenge(session, editions.lab.slug).spec
    body = {"file": text_of(present, editions.lab.slug), "confirmed": True, "why": "as it was announced"}
    answer = editions.admin.post(
        "/admin/challenges", json={**body, "overlay": "phases: {test: {decimals: 1}}"}
    )
    assert answer.status_code == 200, answer.text
    (second, _) = editions.all(nobody)
    assert second["what"] == ["the challenge file was changed"]


def test_results_that_nobody_sees_are_not_told_of(
    editions: Editions, teams: dict[str, Entrant], entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    eve = entrant("Eve")
    evaluation = eve.submit(phase="test")
    editions.release()
    assert editions.desk.decide(eve, "hide").status_code == 200
    editions.lab.worker().drain()
    score_all(editions.lab, valued({**teams, "Eve": eve}, {**VALUES, "Eve": 0.95}))
    with unit_of_work(editions.lab.sessions) as session:
        assert session.get_one(Evaluation, UUID(evaluation)).finished_at is not None
    assert editions.desk.decide(teams["Ada"], "disqualify").status_code == 200
    assert editions.all(nobody)[0]["what"] == [
        "Test: a team was disqualified; its values are shown without a place"
    ]


def test_who_waits_for_a_challenge_s_lock_finds_it_as_it_is_then(
    editions: Editions, teams: dict[str, Entrant]
) -> None:
    with editions.lab.sessions() as session:
        read = get_challenge(session, editions.lab.slug)
        before = read.spec.digest
        with unit_of_work(editions.lab.sessions) as other:
            present = get_challenge(other, editions.lab.slug).spec
        body = {"file": text_of(present, editions.lab.slug), "confirmed": True, "why": "as it was announced"}
        changed = editions.admin.post("/admin/challenges", json={**body, "overlay": "title: Another name"})
        assert changed.status_code == 200, changed.text
        assert lock(session, read.id).spec.digest != before
