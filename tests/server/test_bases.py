"""Boards never mix: what was made on other cases, in another way or by another metric is shown apart."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from contract.statuses import EvaluationStatus
from evaluator.ranking import read_rows
from evaluator.spec import Challenge, Metric
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.service import current_dataset
from server.evaluations import service
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Score
from server.evaluations.scoring import bases
from server.leaderboard.bases import hidden_by, stale
from tests.server.lab import Entrant, Json, Lab
from tests.server.test_leaderboard import board, board_page, change, entries, scored
from worker.score.evaluations import score_waiting

MakeEntrant = Callable[[str], Entrant]

PLUGIN = """
from evaluator.metrics import DatasetData, Parameters, dataset_metric
from {package}.weights import WEIGHT


@dataset_metric(direction="higher", minimum=0, maximum=1, missing=0.0, parameters=Parameters)
def mean_score(data: DatasetData, parameters: Parameters) -> float:
    return WEIGHT * float(data.scores.mean())
"""


def of_board(track: Json, name: str) -> Json:
    return dict(next(one for one in track["boards"] if one["board"] == name))


def otherwise(track: Json, name: str = "task5") -> dict[str, list[str]]:
    """What is scored otherwise, and in what it differs, by team."""
    return {one["team"]: one["differs"] for one in of_board(track, name)["otherwise"]}


def with_metric(spec: Challenge, name: str, **metrics: Metric) -> dict[str, object]:
    """The change that gives a board other metrics."""
    found = spec.boards[name]
    return {"boards": dict(spec.boards) | {name: found.model_copy(update={"metrics": dict(metrics)})}}


def score_on(lab: Lab, entrant: Entrant, task: str, value: float) -> str:
    """A submission on any task that got `value` in every metric of its boards."""
    evaluation = entrant.submit(task)
    with unit_of_work(lab.sessions) as session:
        row = service.lock_evaluation(session, UUID(evaluation))
        for status in (EvaluationStatus.RUNNING, EvaluationStatus.SCORING, EvaluationStatus.SCORED):
            row.move_to(session, status, actor="tests")
        row.scored_with = bases(row.spec_version.spec, task)
        for name, one in row.spec_version.spec.boards_of(task).items():
            row.scores += [
                Score(board=name, metric=key, value=value, low=None, high=None, reason=None, replicates=b"")
                for key in one.metrics
            ]
    return evaluation


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed package of metrics."""
    folder = tmp_path / "installed" / f"plugin_{uuid4().hex}"  # no process imports two packages of one name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "weights.py").write_text("WEIGHT = 1.0\n")
    (folder / "metrics.py").write_text(PLUGIN.replace("{package}", folder.name))
    monkeypatch.syspath_prepend(folder.parent)
    return folder


def mean_of(plugin: Path) -> Metric:
    return Metric(metric=f"{plugin.name}.metrics:mean_score")


def references(lab: Lab) -> None:
    """Labels for the lab's dataset of task5."""
    with unit_of_work(lab.sessions) as session:
        dataset = current_dataset(session, get_challenge(session, lab.slug), "validation", "task5")
        folder = lab.settings.references / dataset.folder
        folder.mkdir(parents=True)
        rows = [f"{one.name},{one.ordinal % 2}" for one in dataset.cases]
        (folder / "references.csv").write_text("case,label\n" + "\n".join(rows) + "\n")


def run_and_score(lab: Lab, entrant: Entrant) -> None:
    """A submission whose cases all answer 0.5, scored as a score worker does."""
    entrant.submit()
    lab.worker().drain()
    assert score_waiting(lab.sessions, lab.settings) == 1


def test_a_metric_that_was_changed_between_two_scorings_never_ranks_them_together(
    lab: Lab,
    entrant: MakeEntrant,
    nobody: httpx.Client,
    fomo26: Challenge,
    plugin: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A board in memory tells of a metric's changed files half a minute later at most.
    monkeypatch.setattr("server.leaderboard.memory.MOST_SECONDS", 0.0)
    change(lab, fomo26, **with_metric(fomo26, "task5", mean=mean_of(plugin)))
    references(lab)
    run_and_score(lab, entrant("Before"))
    assert entries(board(nobody, lab))["Before"]["metrics"]["mean"]["value"] == 0.5
    assert otherwise(board(nobody, lab)) == {}
    (plugin / "weights.py").write_text("WEIGHT = 0.5\n")
    run_and_score(lab, entrant("After"))
    track = board(nobody, lab)
    assert {name: one["rank"] for name, one in entries(track).items()} == {"After": 1}
    assert entries(track)["After"]["metrics"]["mean"]["value"] == 0.25
    assert otherwise(track) == {"Before": ["the code of mean"]}
    assert of_board(track, "task5")["otherwise"][0]["metrics"]["mean"]["value"] == 0.5
    assert [one["team"] for one in track["unified"]] == ["After"]
    with unit_of_work(lab.sessions) as session:
        assert [(one.metric, one.evaluations) for one in stale(session) if one.challenge == lab.slug] == [
            ("mean", 1)
        ]
    (plugin / "weights.py").write_text("WEIGHT = 1.0  # as before\n")
    assert otherwise(board(nobody, lab)) == {"After": ["the code of mean"]}


def test_a_metric_that_is_changed_while_it_is_computed_scores_nothing(
    lab: Lab, team: Entrant, fomo26: Challenge, plugin: Path
) -> None:
    change(lab, fomo26, **with_metric(fomo26, "task5", mean=mean_of(plugin)))
    references(lab)
    rewrite = (
        "    import time, pathlib\n"
        "    pathlib.Path(__file__).with_name('weights.py').write_text(f'WEIGHT = {time.time_ns()}\\n')\n"
    )
    metrics = plugin / "metrics.py"
    metrics.write_text(metrics.read_text().replace("    return", f"{rewrite}    return"))
    evaluation = team.submit()
    lab.worker().drain()
    score_waiting(lab.sessions, lab.settings)
    found = team.evaluation(evaluation)
    assert found["status"] in ("scoring", "errored")
    assert found["scores"] == {}


def test_a_parameter_of_one_tasks_metric_leaves_every_other_board_as_it_is(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    lab.dataset("task2")
    for name, value in {"Ada": 0.7, "Bob": 0.9}.items():
        one = entrant(name)
        score_on(lab, one, "task2", value)
        score_on(lab, one, "task5", value)
    before = board(nobody, lab)
    nsd = fomo26.boards["task2"].metrics["nsd"].model_copy(update={"tolerance_mm": 2.0})
    changed = with_metric(fomo26, "task2", dsc=fomo26.boards["task2"].metrics["dsc"], nsd=nsd)
    with unit_of_work(lab.sessions) as session:
        spec = fomo26.model_copy(update={"challenge": lab.slug, **changed})
        lost = hidden_by(session, get_challenge(session, lab.slug), spec)
    assert lost == {"validation": {"task2": 2}}
    change(lab, fomo26, **changed)
    after = board(nobody, lab)
    for name in fomo26.boards:
        same = json.dumps(of_board(before, name)) == json.dumps(of_board(after, name))
        assert same is (name != "task2"), name
    assert otherwise(after, "task2") == {name: ["nsd.tolerance_mm 1.0 → 2.0"] for name in ("Ada", "Bob")}
    assert entries(after, "task2") == {}
    unified = {one["team"]: (one["placement"], one["board_ranks"]["task2"]) for one in after["unified"]}
    assert unified == {"Bob": (1, None), "Ada": (2, None)}
    change(lab, fomo26)
    assert board(nobody, lab) == before, "the earlier file again"


def test_another_weight_or_rule_ranks_the_same_values_anew(
    lab: Lab, team: Entrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    scored(lab, team, 0.9)
    change(lab, fomo26, ranking=fomo26.ranking.model_copy(update={"ties": "average", "rerank_boards": False}))
    assert entries(board(nobody, lab))["The Team"]["rank"] == 1
    assert otherwise(board(nobody, lab)) == {}


def test_a_limit_that_a_value_may_depend_on_is_told_by_its_name(
    lab: Lab, team: Entrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    scored(lab, team, 0.9)
    change(lab, fomo26, limits=fomo26.limits.model_copy(update={"cpus": 1.5}))
    assert otherwise(board(nobody, lab)) == {"The Team": ["limits.cpus 32.0 → 1.5"]}


def test_another_dataset_is_another_base_and_a_newer_entry_takes_the_place_of_the_older(
    lab: Lab, team: Entrant, nobody: httpx.Client
) -> None:
    scored(lab, team, 0.9)
    lab.dataset(cases=7)
    track = board(nobody, lab)
    assert (otherwise(track), entries(track)) == ({"The Team": ["dataset"]}, {})
    assert of_board(track, "task5")["cases"] == 7
    scored(lab, team, 0.4)
    track = board(nobody, lab)
    assert (otherwise(track), list(entries(track))) == ({}, ["The Team"])


def test_what_was_scored_before_anything_was_kept_is_a_base_of_its_own(
    lab: Lab, team: Entrant, nobody: httpx.Client
) -> None:
    evaluation = scored(lab, team, 0.9)
    with unit_of_work(lab.sessions) as session:
        session.get_one(Evaluation, UUID(evaluation)).scored_with = None
    assert otherwise(board(nobody, lab)) == {"The Team": ["how it was scored is not known"]}
    with unit_of_work(lab.sessions) as session:
        assert [(one.metric, one.evaluations) for one in stale(session) if one.challenge == lab.slug] == [
            (None, 1)
        ]


def test_the_best_of_the_base_in_force_counts_whatever_another_base_gave(
    lab: Lab, team: Entrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    primary = {
        name: one.model_copy(update={"primary": next(iter(one.metrics))})
        for name, one in fomo26.boards.items()
    }
    best = {"boards": primary, "ranking": fomo26.ranking.model_copy(update={"entry": "best"})}
    change(lab, fomo26, **best)
    scored(lab, team, 0.99)
    lab.dataset()
    for value in (0.8, 0.6):
        scored(lab, team, value)
    track = board(nobody, lab)
    assert entries(track)["The Team"]["metrics"]["auroc"]["value"] == 0.8
    assert otherwise(track) == {"The Team": ["dataset"]}, "it may have been the better one"


def test_page_and_csv_show_it_apart_and_the_evaluator_does_not_rank_it(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client, fomo26: Challenge, tmp_path: Path
) -> None:
    scored(lab, entrant("Old"), 0.9)
    lab.dataset()
    scored(lab, entrant("New"), 0.8)
    shown = board_page(nobody, lab)
    assert "Scored otherwise: 1." in shown
    assert shown.index("Scored otherwise: 1.") < shown.index('<td class="team differs">dataset</td>')
    answer = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation.csv")
    rows = {row["team"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert (rows["New"]["unranked"], rows["New"]["rank"]) == ("", "1.0")
    assert (rows["Old"]["unranked"], rows["Old"]["rank"]) == ("scored otherwise: dataset", "")
    (tmp_path / "scores.csv").write_text(answer.text)
    assert [one.team for one in read_rows(tmp_path / "scores.csv", fomo26.tracks, fomo26.boards)] == ["New"]


def test_where_the_deciding_metric_changed_another_board_of_the_task_keeps_the_best_of_those_alike(
    lab: Lab, team: Entrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    one, two = (name for name, found in fomo26.boards.items() if found.task == "task6")
    boards = {
        name: found.model_copy(update={"primary": next(iter(found.metrics))})
        for name, found in fomo26.boards.items()
    }
    ranking = fomo26.ranking.model_copy(update={"entry": "best"})
    change(lab, fomo26, boards=boards, ranking=ranking)
    lab.dataset("task6")
    for value in (0.6, 0.7):
        score_on(lab, team, "task6", value)

    def of(board_name: str) -> dict[str, float]:
        found = entries(board(nobody, lab), board_name)
        return {name: one["metrics"][boards[board_name].primary]["value"] for name, one in found.items()}

    assert of(one) == of(two) == {"The Team": 0.7}
    changed = boards[one].model_copy(
        update={"bootstrap": boards[one].bootstrap.model_copy(update={"level": 0.9})}
    )
    change(lab, fomo26, boards=boards | {one: changed}, ranking=ranking)
    assert of(one) == {}
    assert of(two) == {"The Team": 0.7}, "it is alike on the other board, so it is still the best"
    score_on(lab, team, "task6", 0.4)
    assert of(one) == of(two) == {"The Team": 0.4}, "the one whose deciding value is of the base in force"
