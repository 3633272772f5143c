"""Entries beside each other, and what single cases gave: as much of it as the asker may see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
from sqlalchemy import select, update

from contract.organizers import Role
from contract.problems import ErrorCode
from evaluator.scoring import GroupReport, Report
from evaluator.spec import Challenge
from server.audit.looks import Look
from server.challenges.models import Challenge as ChallengeRow
from server.challenges.service import get_challenge
from server.comparisons.cells import LEAST, in_rows, spread, too_small
from server.database import unit_of_work
from server.evaluations.models import CaseRun
from server.leaderboard.models import KeptCertainty
from tests.abuse.boards import watched
from tests.evaluator import reports as made
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.seeded import settle
from tests.server.test_leaderboard import change
from tests.server.test_looks import looks
from tests.server.test_roles import give

MakeEntrant = Callable[[str], Entrant]
Json = dict[str, Any]
DSC = {
    "Ada": np.linspace(0.9, 0.64, made.CASES),
    "Bob": np.linspace(0.60, 0.90, made.CASES),
    "Cyd": np.linspace(0.2, 0.33, made.CASES),
}
SIZES = {"A": 7, "B": 5, "C": 2}


def group(size: int, value: float) -> GroupReport:
    return GroupReport(
        size=size,
        subjects=size,
        enough=size >= LEAST,
        values={"dsc": value, "nsd": None},
        intervals={"dsc": (value - 0.1, value + 0.1), "nsd": None},
    )


def report(name: str) -> Report:
    """What a team has on task2; groups by site, one of them small."""
    found: Report = made.segmentation("task2", DSC[name], DSC[name] - 0.1)  # type: ignore[no-untyped-call]
    groups = {"site": {site: group(size, 0.5) for site, size in SIZES.items()}}
    return found.model_copy(update={"extras": found.extras.model_copy(update={"groups": groups})})


@dataclass(frozen=True)
class Results:
    """Three teams on a board, and where their comparison is."""

    lab: Lab
    teams: dict[str, Entrant]
    address: str

    def get(self, http: httpx.Client, what: str, **params: object) -> httpx.Response:
        return http.get(f"{self.address}/{what}", params={"track": "open", **params})  # type: ignore[dict-item]

    def compare(self, http: httpx.Client, *teams: str, **params: object) -> httpx.Response:
        return self.get(http, "comparison", **{"board": "task2", "team": list(teams), **params})

    def release(self) -> None:
        """As releasing leaves it; the act has a list of checks of its own."""
        with unit_of_work(self.lab.sessions) as session:
            challenge = get_challenge(session, self.lab.slug)
            session.execute(
                update(ChallengeRow).where(ChallengeRow.id == challenge.id).values(released=["validation"])
            )


@pytest.fixture
def results(lab: Lab, entrant: MakeEntrant) -> Results:
    lab.dataset("task2", cases=made.CASES)
    teams = {name: entrant(name) for name in DSC}
    for name, team in teams.items():
        settle(lab, team, {"task2": report(name)}, task="task2")
    lab.work_out()
    return Results(lab, teams, f"/challenges/{lab.slug}/leaderboards/validation")


def kept(results: Results) -> KeptCertainty:
    with unit_of_work(results.lab.sessions) as session:
        challenge = get_challenge(session, results.lab.slug)
        query = select(KeptCertainty).where(KeptCertainty.challenge_id == challenge.id)
        row = session.scalars(query).one()
        _ = row.behind
        return row


def test_how_sure_places_are_is_told_as_it_is_kept_with_the_teams_names(
    results: Results, nobody: httpx.Client
) -> None:
    closed = results.get(nobody, "certainty").json()
    results.release()
    told = results.get(nobody, "certainty").json()
    behind = kept(results).stands_behind
    assert behind is not None
    ids = {team.team: name for name, team in results.teams.items()}
    assert [(one["team"], one["place"]) for one in told["overall"]] == [("Ada", 1), ("Bob", 2), ("Cyd", 3)]
    assert told["groups"] == [["Ada", "Bob"], ["Cyd"]]
    assert (told["pending"], told["pairs"], told["certainty"]["level"]) == (False, None, 0.95)
    board = next(one for one in told["boards"] if one["board"] == "task2")
    dsc = next(one for one in board["metrics"] if one["metric"] == "dsc")
    assert (dsc["test"], dsc["better"], dsc["units"]) == ("paired permutation", "higher", made.CASES)
    pairs = {frozenset((one["team"], one["other"])): one for one in dsc["pairs"]}
    for pair in behind.tests["task2"]["dsc"].pairs:
        one, other = (ids[team] for team in pair.teams)
        shown = pairs[frozenset((one, other))]
        assert shown["difference"] == round(pair.difference, 3)
        assert shown["adjusted_in_track"] == round(pair.adjusted_in_track, 6)
        assert (shown["low"], shown["superiority"]) == (
            round(pair.low or 0, 3),
            round(pair.superiority or 0, 3),
        )
        best = one if pair.difference > 0 else other
        assert shown["better"] == (best if pair.apart(0.95) else None)
    assert [(one["ahead"], one["behind"]) for one in told["gaps"]] == [
        ("Ada", "Bob"),
        ("Ada", "Cyd"),
        ("Bob", "Cyd"),
    ]
    assert {one["board"] for one in told["without_boards"]} == {one.board for one in behind.without_board}
    ties = next(one for one in told["rules"] if one["change"] == "ties: average")
    assert ties["places"] == {"Ada": 1, "Bob": 2, "Cyd": 3}
    assert ties["sentence"].startswith("equal values share the mean of their places")
    before = next(one for one in closed["boards"] if one["board"] == "task2")["metrics"][0]
    assert [one["better"] for one in before["pairs"]] == [one["better"] for one in dsc["pairs"]]
    figures = {"effect", "low", "high", "superiority", "p", "adjusted", "adjusted_in_track"}
    assert {one[name] for one in before["pairs"] for name in figures} == {None}, "each tells of hidden cases"
    assert {one["low"] for one in closed["gaps"]} == {None} != {one["low"] for one in told["gaps"]}
    assert (told["hidden"], "released" in closed["hidden"]) == (None, True)


def test_before_the_release_teams_are_compared_without_cases_and_organizers_who_look_are_recorded(
    results: Results, nobody: httpx.Client, person: Callable[..., Person]
) -> None:
    for http in (nobody, results.teams["Ada"].http):
        told = results.compare(http, "Bob", "Ada").json()
        assert [one["team"] for one in told["entries"]] == ["Bob", "Ada"], "as asked for"
        assert [one["groups"] for one in told["entries"]] == [None, None]
        (pair,) = told["metrics"][0]["pairs"]
        assert {pair["team"], pair["other"]} == {"Ada", "Bob"}
        assert (pair["superiority"], pair["p"], told["metrics"][0]["cases"]) == (None, None, None)
        assert "released" in told["hidden"]
        shown = results.get(http, "boards/task2/distribution").json()
        entry = shown["entries"][0]
        assert (entry["spreads"], entry["groups"], entry["seconds"]) == (None, None, None)
        assert "released" in shown["hidden"]
    with unit_of_work(results.lab.sessions) as session:
        challenge = get_challenge(session, results.lab.slug).id
    assert looks(results.lab.sessions, challenge) == []
    watcher = person("Watcher")
    give(results.lab.sessions, results.lab.slug, watcher, Role.OBSERVER)
    told = results.compare(watcher.http, "Ada", "Bob").json()
    assert told["hidden"] is None
    assert len(told["metrics"][0]["cases"]) == made.CASES
    assert looks(results.lab.sessions, challenge) == [(f"user:{watcher.id}", Look.CASES)]
    sizes = {one["group"]: one["size"] for one in told["entries"][0]["groups"][0]["groups"]}
    assert sizes == SIZES, "of small groups, too"


def test_after_the_release_cases_are_paired_without_a_name_and_small_groups_stay_closed(
    results: Results, nobody: httpx.Client
) -> None:
    results.release()
    told = results.compare(nobody, "Bob", results.teams["Ada"].team).json()
    assert told["hidden"] is None
    dsc = told["metrics"][0]
    paired = sorted(zip(np.round(DSC["Bob"], 3).tolist(), np.round(DSC["Ada"], 3).tolist(), strict=True))
    assert dsc["cases"] == [list(row) for row in paired], "in the order of the first one's values"
    assert dsc["pairs"][0]["superiority"] is not None
    found = {one["group"]: one for one in told["entries"][0]["groups"][0]["groups"]}
    assert (found["A"]["size"], found["A"]["values"]["dsc"]["value"], found["A"]["suppressed"]) == (
        7,
        0.5,
        False,
    )
    for name in ("B", "C"):  # what C has would follow from all cases, A and B
        assert (found[name]["suppressed"], found[name]["size"], found[name]["values"]) == (True, None, {})
    assert "sub-" not in results.compare(nobody, "Ada", "Cyd").text


def test_after_the_release_a_board_tells_how_cases_spread(results: Results, nobody: httpx.Client) -> None:
    results.release()
    first = results.get(nobody, "boards/task2/distribution", limit=2).json()
    rest = results.get(nobody, "boards/task2/distribution", limit=2, offset=2).json()
    assert (first["total"], [one["team"] for one in first["entries"]]) == (3, ["Ada", "Bob"])
    assert [one["team"] for one in rest["entries"]] == ["Cyd"]
    ada = first["entries"][0]
    dsc, values = ada["spreads"]["dsc"], np.sort(DSC["Ada"])
    assert dsc["values"] == np.round(values, 3).tolist()
    assert dsc["quantiles"]["p25"] == round(float(np.quantile(values, 0.25)), 3)
    assert dsc["worst_tenth"] == round(float(values[:2].mean()), 3), "two of fourteen"
    assert (dsc["cases"], dsc["undefined"]) == (made.CASES, 0)
    with unit_of_work(results.lab.sessions) as session:
        evaluation = results.teams["Ada"].http.get(f"/challenges/{results.lab.slug}/submissions").json()[0]
        own = UUID(evaluation["evaluations"][0]["id"])
        query = select(CaseRun.seconds).where(CaseRun.evaluation_id == own)
        ran = [one for one in session.scalars(query) if one is not None]
    assert ada["seconds"]["p50"] == round(float(np.median(ran)), 1)


def test_nobody_compares_what_they_may_not_see_or_what_is_not_there(
    results: Results, nobody: httpx.Client, admin: Person, fomo26: Challenge
) -> None:
    for refused, status, code in (
        (results.compare(nobody, "Ada", "Nobody"), 404, ErrorCode.UNKNOWN_ENTRY),
        (results.compare(nobody, "Ada", "Bob", board="none"), 404, ErrorCode.UNKNOWN_BOARD),
        (results.compare(nobody, "Ada", "Bob", track="none"), 422, ErrorCode.UNKNOWN_TRACK),
        (results.get(nobody, "boards/none/distribution"), 404, ErrorCode.UNKNOWN_BOARD),
        (results.compare(nobody, "Ada"), 422, ErrorCode.INVALID_REQUEST),
        (results.compare(nobody, *"abcdef"), 422, ErrorCode.INVALID_REQUEST),
        (results.get(nobody, "boards/task2/distribution", limit=201), 422, ErrorCode.INVALID_REQUEST),
    ):
        assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    sealed = fomo26.phases["validation"].model_copy(update={"board": "sealed"})
    change(results.lab, fomo26, phases=dict(fomo26.phases) | {"validation": sealed})
    for http, status in ((nobody, 403), (results.teams["Ada"].http, 403), (admin.http, 200)):
        answers = (
            results.get(http, "certainty"),
            results.compare(http, "Ada", "Bob"),
            results.get(http, "boards/task2/distribution"),
        )
        assert [one.status_code for one in answers] == [status] * 3
    results.release()
    assert results.compare(nobody, "Ada", "Bob").json()["hidden"] is None


def test_what_stands_behind_a_board_costs_the_statements_of_one_team(results: Results, admin: Person) -> None:
    asked: dict[str, list[int]] = {"boards/task2/distribution": [], "comparison": []}
    for number, names in ((1, ("Ada", "Bob")), (3, ("Ada", "Bob", "Cyd"))):
        for what, params in (
            ("boards/task2/distribution", {"limit": number}),
            ("comparison", {"team": names}),
        ):
            with watched(results.lab.sessions) as said:
                answer = results.get(admin.http, what, **{"board": "task2", **params})
                assert answer.status_code == 200
            read = [
                one for one in said.said if any(table in one for table in ("scores", "reports", "case_runs"))
            ]
            asked[what].append(len(read))
            assert len(said.said) <= 25
    assert asked["boards/task2/distribution"][0] == asked["boards/task2/distribution"][1]
    assert asked["comparison"][0] == asked["comparison"][1]
    with watched(results.lab.sessions) as said:
        assert results.get(admin.http, "certainty").status_code == 200
    assert len(said.said) <= 25


@pytest.mark.parametrize(
    ("sizes", "closed"),
    [
        ({"a": 20, "b": 9, "c": 30}, ""),
        ({"a": 20, "b": 4, "c": 30}, "ab"),
        ({"a": 20, "b": 2, "c": 2, "d": 9}, "bcd"),
        ({"a": 20, "b": 4, "c": 3}, "bc"),
        ({"a": 3}, "a"),
        ({"a": 1, "b": 1}, "ab"),
    ],
)
def test_a_small_group_takes_others_along_from_which_it_would_follow(
    sizes: dict[str, int], closed: str
) -> None:
    assert too_small({name: group(size, 0.5) for name, size in sizes.items()}) == set(closed)


def test_rows_of_cases_go_by_their_values_alone() -> None:
    one, other = [0.3, None, 0.1, 0.3], [0.5, 0.4, None, 0.2]
    rows = in_rows([one, other], 3)
    assert rows == [[0.1, None], [0.3, 0.2], [0.3, 0.5], [None, 0.4]]
    for order in ([3, 1, 0, 2], [2, 3, 1, 0]):
        assert in_rows([[one[k] for k in order], [other[k] for k in order]], 3) == rows
    assert in_rows([one, None], 3) == [[0.1, None], [0.3, None], [0.3, None], [None, None]]
    assert in_rows([None, None], 3) is None
    assert spread([None, None], higher_is_better=True, decimals=3) is None
    lower = spread([5.0, 1.0, None, 3.0], higher_is_better=False, decimals=3)
    assert lower is not None
    assert (lower.worst_tenth, lower.undefined, lower.values) == (5.0, 1, [1.0, 3.0, 5.0])
