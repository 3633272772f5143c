"""Leaderboards: what counts, who may see it, and what is never stored."""

import csv
import io
import re
from collections.abc import Callable
from uuid import UUID

import httpx
import pytest

from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge
from server.challenges.service import apply, get_challenge, release
from server.database import unit_of_work
from server.errors import Conflict
from server.evaluations import service
from server.evaluations.result_models import Score
from server.evaluations.scoring import bases
from server.leaderboard.bases import hidden_by
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab

MakeEntrant = Callable[[str], Entrant]


def page(http: httpx.Client, lab: Lab, phase: str = "validation", rest: str = "") -> httpx.Response:
    """The leaderboard as a page: of all boards, or what `rest` of the address says."""
    at = f"http://{http.base_url.netloc.decode()}/challenges/{lab.slug}/leaderboards/{phase}"
    return http.get(at + rest)


def board_page(http: httpx.Client, lab: Lab, name: str = "task5") -> str:
    """The page of one board, as text."""
    return page(http, lab, rest=f"/boards/{name}?track=open").text


def scored(lab: Lab, entrant: Entrant, value: float | None, *, phase: str = "validation") -> str:
    """A submission on task5 that got `value`."""
    evaluation = entrant.submit(phase=phase)
    with unit_of_work(lab.sessions) as session:
        row = service.lock_evaluation(session, UUID(evaluation))
        for status in (EvaluationStatus.RUNNING, EvaluationStatus.SCORING, EvaluationStatus.SCORED):
            row.move_to(session, status, actor="tests")
        row.scored_with = bases(row.spec_version.spec, row.task)
        reason = "constant" if value is None else None
        row.scores.append(
            Score(
                board="task5", metric="auroc", value=value, low=0.1, high=0.9, reason=reason, replicates=b""
            )
        )
    return evaluation


def board(http: httpx.Client, lab: Lab, phase: str = "validation") -> Json:
    answer = http.get(f"/challenges/{lab.slug}/leaderboards/{phase}")
    assert answer.status_code == 200, answer.text
    return dict(next(one for one in answer.json()["tracks"] if one["track"] == "open"))


def entries(track: Json, name: str = "task5") -> dict[str, Json]:
    found = next(one for one in track["boards"] if one["board"] == name)
    return {entry["team"]: entry for entry in found["entries"]}


def change(lab: Lab, spec: Challenge, **changes: object) -> None:
    """Applies another version of the lab's challenge."""
    with unit_of_work(lab.sessions) as session:
        apply(session, spec.model_copy(update={"challenge": lab.slug, **changes}), actor="tests")


def test_an_empty_board_is_a_board(lab: Lab, nobody: httpx.Client) -> None:
    track = board(nobody, lab)
    assert len(track["boards"]) == 7
    assert track["unified"] == []


def test_teams_are_ranked_and_values_rounded_to_the_phases_decimals(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    for name, value in {"Ada": 0.70004, "Bob": 0.70001, "Cyd": 0.9}.items():
        scored(lab, entrant(name), value)
    found = entries(board(nobody, lab))
    assert {name: one["rank"] for name, one in found.items()} == {"Cyd": 1, "Ada": 2, "Bob": 3}
    assert found["Ada"]["metrics"]["auroc"]["value"] == found["Bob"]["metrics"]["auroc"]["value"] == 0.7


def test_the_latest_attempt_counts_even_if_it_is_worse(lab: Lab, team: Entrant, nobody: httpx.Client) -> None:
    for value in (0.9, 0.6):
        scored(lab, team, value)
    assert entries(board(nobody, lab))["The Team"]["metrics"]["auroc"]["value"] == 0.6


def test_the_best_attempt_counts_where_the_challenge_says_so(
    lab: Lab, team: Entrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    boards = {
        name: one.model_copy(update={"primary": next(iter(one.metrics))})
        for name, one in fomo26.boards.items()
    }
    change(lab, fomo26, boards=boards, ranking=fomo26.ranking.model_copy(update={"entry": "best"}))
    for value in (0.7, 0.9, None):
        scored(lab, team, value)
    assert entries(board(nobody, lab))["The Team"]["metrics"]["auroc"]["value"] == 0.9


def test_a_rule_over_single_cases_reads_them(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    task5 = fomo26.boards["task5"]
    by_case = {"auroc": task5.metrics["auroc"].model_copy(update={"metric": "dice"})}
    boards = dict(fomo26.boards) | {"task5": task5.model_copy(update={"metrics": by_case})}
    ranking = fomo26.ranking.model_copy(update={"method": "rank_then_mean"})
    change(lab, fomo26, boards=boards, ranking=ranking)
    for name, cases in {"Steady": [0.5, 0.5, 0.5], "Lucky": [1.0, 0.4, 0.4]}.items():
        evaluation = scored(lab, entrant(name), sum(cases) / 3)
        with unit_of_work(lab.sessions) as session:
            service.lock_evaluation(session, UUID(evaluation)).scores[0].per_case = list(cases)
    found = entries(board(nobody, lab))
    assert {name: one["rank"] for name, one in found.items()} == {"Steady": 1, "Lucky": 2}


def test_a_metric_that_is_no_longer_installed_is_shown_and_not_ranked(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    task5, task1 = fomo26.boards["task5"], fomo26.boards["task1"]
    gone = task5.metrics["auroc"].model_copy(update={"metric": "uninstalled"})
    metrics = {"auroc": task5.metrics["auroc"], "lost": gone}
    changed = {
        "task5": task5.model_copy(update={"metrics": metrics}),
        "task1": task1.model_copy(update={"metrics": {"auroc": gone}}),
    }
    change(lab, fomo26, boards=dict(fomo26.boards) | changed)
    for name, value in {"Ada": 0.7, "Bob": 0.9}.items():
        evaluation = scored(lab, entrant(name), value)
        with unit_of_work(lab.sessions) as session:
            lost = Score(board="task5", metric="lost", value=value, low=None, high=None, replicates=b"")
            row = service.lock_evaluation(session, UUID(evaluation))
            row.scores.append(lost)
    track = board(nobody, lab)
    found = entries(track)
    assert {name: one["rank"] for name, one in found.items()} == {"Bob": 1, "Ada": 2}
    lost = found["Ada"]["metrics"]["lost"]
    assert {key: lost[key] for key in ("value", "low", "rank")} == {"value": 0.7, "low": None, "rank": None}
    column = next(one for one in track["boards"] if one["board"] == "task5")["metrics"][1]
    assert column["better"] is None
    assert "uninstalled is not installed" in column["reason"]
    assert page(nobody, lab).status_code == 200
    assert "uninstalled is not installed" in board_page(nobody, lab)


def test_a_version_that_only_says_other_words_or_dates_keeps_the_board(
    lab: Lab, team: Entrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    scored(lab, team, 0.9)
    phases = {name: one.model_copy(update={"title": "Later"}) for name, one in fomo26.phases.items()}
    changed = fomo26.model_copy(update={"title": "Amended", "challenge": lab.slug, "phases": phases})
    with unit_of_work(lab.sessions) as session:
        assert hidden_by(session, get_challenge(session, lab.slug), changed) == {}
    change(lab, changed)
    answer = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation").json()
    assert answer["title"] == "Amended"
    assert entries(board(nobody, lab))["The Team"]["metrics"]["auroc"]["value"] == 0.9


def test_a_baseline_is_shown_without_a_rank_and_an_ineligible_team_without_a_prize(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    named = {"Baseline": "Our method", "Organizers": "Institute", "Others": "Others"}
    teams = {name: entrant(at_first) for name, at_first in named.items()}
    for value, one in zip((0.95, 0.9, 0.8), teams.values(), strict=True):
        scored(lab, one, value)
    admin.http.patch(f"/admin/teams/{teams['Baseline'].team}", json={"baseline": True, "name": "Baseline"})
    changes = {"eligible": False, "name": "Organizers"}
    assert admin.http.patch(f"/admin/teams/{teams['Organizers'].team}", json=changes).status_code == 200
    unified = {one["team"]: one for one in board(nobody, lab)["unified"]}
    assert {name: (one["placement"], one["eligible_placement"]) for name, one in unified.items()} == {
        "Baseline": (None, None),
        "Organizers": (1, None),
        "Others": (2, 1),
    }


def test_a_sealed_board_is_for_admins_until_it_is_released(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client, fomo26: Challenge
) -> None:
    phases = dict(fomo26.phases)
    phases["test"] = phases["test"].model_copy(update={"opens": phases["sanity"].opens})
    change(lab, fomo26, phases=phases)
    lab.dataset(phase="test")
    evaluation = scored(lab, team, 0.9, phase="test")
    address = f"/challenges/{lab.slug}/leaderboards/test"
    for path in (address, f"{address}.csv"):
        for client in (nobody, team.http):
            assert (client.get(path).status_code, client.get(path).json()["code"]) == (403, "board_sealed")
    assert team.evaluation(evaluation)["scores"] == {}
    assert page(nobody, lab, "test").status_code == 403
    with unit_of_work(lab.sessions) as session:
        release(session, get_challenge(session, lab.slug), "test", actor="test")
    board = nobody.get(address)
    assert board.status_code == 200
    assert board.json()["tracks"][1]["unified"], "what was scored under seal is on the board"
    assert team.evaluation(evaluation)["scores"] != {}
    assert page(nobody, lab, "test").status_code == 200


@pytest.mark.parametrize(
    ("phase", "code"),
    [("sanity", "no_board"), ("validation", "board_public"), ("test", "board_released")],
)
def test_only_a_sealed_board_can_be_released(lab: Lab, phase: str, code: str) -> None:
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        challenge.released = ["test"]
        with pytest.raises(Conflict) as refused:
            release(session, challenge, phase, actor="test")
    assert refused.value.code == code


@pytest.mark.parametrize(("phase", "code"), [("sanity", "no_board"), ("final", "unknown_phase")])
def test_there_is_no_board_where_the_file_has_none(
    lab: Lab, nobody: httpx.Client, phase: str, code: str
) -> None:
    answer = nobody.get(f"/challenges/{lab.slug}/leaderboards/{phase}")
    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_the_csv_has_a_row_per_metric_whatever_a_team_is_called(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    scored(lab, entrant("R&D, Inc."), 0.75)
    answer = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation.csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["team"], row["track"], row["task"], row["metric"]) == ("R&D, Inc.", "open", "task5", "auroc")
    assert (float(row["value"]), row["is_baseline"]) == (0.75, "0")


def test_a_team_name_is_text_on_the_page(lab: Lab, entrant: MakeEntrant, nobody: httpx.Client) -> None:
    scored(lab, entrant("R&D 's"), 0.75)
    text = page(nobody, lab).text
    assert "R&amp;D &#39;s" in text
    assert not re.search(r"<script(?! type=\"module\" src=\"/assets/)", text)
