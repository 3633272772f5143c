"""What a page says of boards and teams without anything, and of what its intervals speak."""

import html
import re

import pytest
from typer.testing import CliRunner

from evaluator.cli import app
from evaluator.comparison import Entrant
from evaluator.ranking import Row, for_nobody, rank
from evaluator.report import render
from evaluator.spec import Bootstrap
from tests.evaluator import reports as made
from tests.evaluator.datasets import CHALLENGES, fomo26

FOMO26 = CHALLENGES / "fomo26" / "challenge.yaml"
NOBODY = "no team has a value there, so"


def text_of(challenge, entrants):
    page = render(challenge, {"open": entrants})
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)))


def entrants(teams=3, **without):
    """Teams of task1 and task2, each without the board that `without` names for it."""
    return [
        Entrant(team, {board: report for board, report in found.items() if board != without.get(team)})
        for team, found in made.season(teams).items()
    ]


def ruled(**changes):
    challenge = fomo26()
    return challenge.model_copy(update={"ranking": challenge.ranking.model_copy(update=changes)})


def scores(*rows):
    return [Row(team, "open", board, metric, value) for team, board, metric, value in rows]


def test_boards_and_metrics_that_no_team_has_are_named_with_their_weight():
    spec = fomo26()
    boards = {name: spec.boards[name] for name in ("task1", "task2", "task4")}
    rows = scores(("a", "task1", "auroc", 0.9), ("b", "task2", "dsc", 0.5))
    ranked = rank(spec.ranking, boards, rows).tracks["open"]
    assert (
        for_nobody(spec.ranking, boards, ranked)
        == f"NSD of task2, task4 (25%): {NOBODY} they count for nobody."
    )
    rows += scores(("b", "task2", "nsd", 0.5))
    ranked = rank(spec.ranking, boards, rows).tracks["open"]
    assert for_nobody(spec.ranking, boards, ranked) == f"task4 (25%): {NOBODY} it counts for nobody."
    rows += scores(("a", "task4", "dsc", 0.5), ("a", "task4", "nsd", 0.5))
    assert for_nobody(spec.ranking, boards, rank(spec.ranking, boards, rows).tracks["open"]) is None


def test_what_only_a_baseline_has_counts_for_nobody_and_what_has_no_weight_is_not_named():
    spec = fomo26()
    boards = {name: spec.boards[name] for name in ("task1", "task4")}
    base = Row("base", "open", "task4", "dsc", 0.5, is_baseline=True)
    rows = [*scores(("a", "task1", "auroc", 0.9)), base]
    ranked = rank(spec.ranking, boards, rows).tracks["open"]
    assert for_nobody(spec.ranking, boards, ranked) == f"task4 (25%): {NOBODY} it counts for nobody."
    ranking = spec.ranking.model_copy(update={"weights": spec.ranking.weights | {"task4": 0}})
    assert for_nobody(ranking, boards, rank(ranking, boards, rows).tracks["open"]) is None
    assert for_nobody(spec.ranking, boards, rank(spec.ranking, boards, [base]).tracks["open"]) is None


def test_a_board_that_nobody_has_is_named_in_the_terminal_and_on_the_page(tmp_path):
    made.write(tmp_path, **made.season(3))
    call = ["rank", "--challenge", str(FOMO26), "--reports", str(tmp_path)]
    shown = " ".join(CliRunner().invoke(app, call).stdout.split())
    assert f"task3 (10%), task4 (25%), task5 (10%), task6 (10%), task7 (10%): {NOBODY} they count" in shown
    text = text_of(fomo26(), entrants())
    assert "Trigeminal nerve and vessel segmentation (25%), Polymicrogyria classification (10%)" in text
    assert f"Fairness of the linear probe (10%): {NOBODY} they count for nobody." in text


@pytest.mark.parametrize(
    ("rule", "consequence"),
    [
        ("worst", ", so the place after all who have one counts."),
        ("excluded", ", so it is left out of the team's mean."),
    ],
)
def test_a_team_without_a_report_is_named_on_the_board(rule, consequence):
    teams = entrants(3, team1="task2", team2="task1")
    text = text_of(ruled(missing_board=rule), teams)
    assert f"team1: There is no report of this board{consequence}" in text
    assert f"team2: There is no report of this board{consequence}" in text
    assert "There is no report" not in text_of(fomo26(), entrants())
    base = Entrant("base", {"task1": teams[0].reports["task1"]}, baseline=True)
    assert "base: There is no report of this board. " in text_of(fomo26(), [*entrants(), base])


def drawn(**bootstraps):
    """The page's sentences of reports whose cases were drawn in these ways."""
    teams = []
    for entrant in entrants(2):
        reports = {
            board: report.model_copy(
                update={
                    "extras": report.extras.model_copy(update={"bootstrap": Bootstrap(**bootstraps[board])})
                }
            )
            for board, report in entrant.reports.items()
        }
        teams.append(Entrant(entrant.team, reports))
    return text_of(fomo26(), teams)


def test_the_page_says_of_what_its_intervals_speak():
    cases, sites = {"resamples": 200}, {"resamples": 200, "unit": "site"}
    begins = "An interval says how far a number moves when other test cases of the same kind are drawn."
    text = drawn(task1=cases, task2=cases)
    assert (
        f"{begins} It does not speak of other hospitals, other scanners or another training of the model."
        in text
    )
    text = drawn(task1=cases, task2=sites)
    assert (
        f"{begins} For Meningioma segmentation, whole sites are drawn, so there it speaks of other hospitals"
        in text
    )
    assert (
        "Otherwise it does not speak of other hospitals, other scanners or another training of the model."
        in text
    )
    text = drawn(task1=sites, task2=sites)
    assert "For all boards, whole sites are drawn" in text
    assert "Otherwise it does not speak of another training of the model." in text
    text = drawn(task1=cases, task2={"resamples": 200, "sources": "test_cases_and_seeds"})
    assert "For Meningioma segmentation, seeds of the probe are drawn, too" in text
    assert "another training of the model itself." in text


def test_only_strata_that_a_board_has_are_named():
    text = drawn(task1={"resamples": 200}, task2={"resamples": 200})
    assert "200 resamples by subject within site and class. Dataset sha256 clf" in text
    assert "200 resamples by subject within site. Dataset sha256 seg" in text


def test_a_small_p_beside_an_interval_that_holds_0_is_explained():
    text = text_of(fomo26(), entrants())
    assert "a small p in the metric may stand beside an interval that holds 0" in text
