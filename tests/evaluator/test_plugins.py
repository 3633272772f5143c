import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluator.cli import app
from evaluator.metrics import case_metric, registry
from evaluator.metrics.registry import UnknownMetric
from evaluator.scoring import ScoringError, _plugins, score_board
from evaluator.spec import load_challenge, merge, parse_challenge
from tests.evaluator.datasets import CHALLENGES, Dataset, embeddings, fomo26, numbers

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "plugin"
BROKEN = "tests.evaluator.broken_metrics"
LABELS, SCORES = [0, 1, 0, 1, 0, 1], [0.1, 0.8, 0.3, 0.7, 0.9, 0.6]


def scored(dataset, board, metrics, *, resamples=20):
    content = dataset.challenge.model_dump(mode="json")
    change = {"boards": {board: {"metrics": metrics, "bootstrap": {"resamples": resamples}}}}
    challenge = parse_challenge(merge(content, change))
    return score_board(challenge, board, dataset.save(), dataset.references, dataset.predictions)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example package as pip installs it, and nothing fetched for it."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--target", target, EXAMPLE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    sys.path.insert(0, str(target))
    yield target
    sys.path.remove(str(target))
    for name in [name for name in sys.modules if name.startswith("lesion_counts")]:
        del sys.modules[name]
    registry.lookup.cache_clear()


def test_metrics_of_an_installed_package_are_scored_beside_the_built_in_ones(example, tmp_path):
    report = scored(
        numbers(tmp_path, "task1", LABELS, [*SCORES[:5], None]),
        "task1",
        {
            "kappa": {"metric": "kappa"},
            "strict": {"metric": "lesion_counts.metrics:kappa", "threshold": 0.75},
        },
        resamples=200,
    )
    assert list(report.metrics) == ["auroc", "kappa", "strict"]
    assert report.metrics["kappa"].value == pytest.approx(1 / 3)  # the missing one counts as wrong
    assert report.metrics["strict"].value == pytest.approx(0)
    kappa = report.metrics["kappa"]
    assert kappa.low < kappa.value < kappa.high
    assert len(kappa.replicates) == 200


def test_a_case_metric_of_an_installed_package_sees_spacing_and_parameters(example, tmp_path):
    dataset = Dataset(tmp_path, fomo26(), "task2")
    mask = np.zeros((10, 10, 10))
    mask[:5] = 1
    for case, found in {"a": mask, "b": mask * 0}.items():
        dataset.reference_map(case, mask, spacing=(2, 1, 1))
        dataset.predict(case, found)
    dataset.reference_map("c", mask)
    report = scored(dataset, "task2", {"volume": {"metric": "volume_error", "cap_ml": 0.75}})
    assert report.per_case["volume"] == (0, 0.75, 0.75)  # "c" has no output: as wrong as an answer can be
    assert report.per_case["dsc"] == (1, 0, 0)


def test_parameters_of_a_plugin_are_checked_like_any_others(example, tmp_path):
    dataset = numbers(tmp_path, "task1", LABELS, SCORES)
    with pytest.raises(ScoringError, match="metric kappa: treshold: Extra inputs are not permitted"):
        scored(dataset, "task1", {"kappa": {"metric": "kappa", "treshold": 0.7}})


FAILURES = {
    "raises": "it raised KeyError",
    "exits": "it raised SystemExit",
    "crashes": "its process ended with code 7",
    "nan": "it returned no finite number",
    "outside": "it returned a value outside its range of 0 to 1",
    "no_number": "it raised ValueError",
    "hangs": "it ran longer than 1 s",
    "hangs_in_c": "it ran longer than 1 s",
    "bad_replacement": "it raised ZeroDivisionError",
    "crashes_and_leaves_a_fork": "its process ended with code 7",
    "stops_its_clock": "it ran longer than 1 s",
    "answers_garbage": "its process gave no readable answer",
    "answers_nothing": "its process gave no readable answer",
    "answers_a_list": "its process gave no readable answer",
    "answers_text": "its process gave no readable answer",
    "answers_half_a_character": "its process gave no readable answer",
    "answers_too_much": "its process gave no readable answer",
    "replaces_by_nothing": "it replaced a missing output by 0 numbers, and it takes 1",
    "replaces_by_nan": "it replaced a missing output by no finite number",
    "replaces_without_end": "it replaced a missing output by 3 numbers, and it takes 1",
    "replaces_and_exits": "it raised SystemExit",
    "replaces_late": "it ran longer than 2 s",
}


def test_metrics_that_fail_name_themselves_and_harm_no_other(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(_plugins, "_MARGIN", 3.0)
    dataset = numbers(tmp_path, "task1", LABELS, [*SCORES[:5], None])
    names = [*FAILURES, "sound"]
    report = scored(dataset, "task1", {name: {"metric": f"{BROKEN}:{name}"} for name in names})
    assert list(report.metrics) == ["auroc", *names]
    for name, why in FAILURES.items():
        found = report.metrics[name]
        assert (found.value, found.fault, found.replicates) == (None, "scorer_failed", ())
        assert found.reason == f"The metric {BROKEN}:{name} failed: {why}."
    assert report.metrics["auroc"].value == pytest.approx(4 / 9)
    assert report.metrics["sound"].value == pytest.approx(2.8 / 6)
    assert "subject-17" not in report.model_dump_json()
    assert "subject-17" in capfd.readouterr().err  # whoever runs it can find the mistake


def test_processes_that_a_metric_leaves_hold_nothing_up_and_answer_nothing(tmp_path):
    dataset = numbers(tmp_path, "task1", LABELS, SCORES)
    names = ["leaves_a_fork", "leaves_a_fork_that_answers"]
    found = scored(dataset, "task1", {name: {"metric": f"{BROKEN}:{name}"} for name in names}).metrics
    for name in names:
        assert (found[name].value, found[name].fault) == (0.5, None)
        assert set(found[name].replicates) == {0.5}


def test_what_a_missing_case_counts_as_is_asked_of_the_process(tmp_path):
    dataset = Dataset(tmp_path, fomo26(), "task2")
    dataset.reference_map("a", np.ones((3, 3, 3)))
    found = scored(dataset, "task2", {"odd": {"metric": f"{BROKEN}:exits_for_missing"}}).metrics["odd"]
    assert found.reason == f"The metric {BROKEN}:exits_for_missing failed: it raised SystemExit."


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, 1e10])
def test_a_metric_declares_a_time_that_ends(seconds):
    declare = case_metric(direction="higher", minimum=0, maximum=1, seconds=seconds, name="odd")
    with pytest.raises(ValueError, match=r"seconds of odd are .*, not above 0 and up to 86400"):
        declare(lambda case, parameters: 0.5)


def test_a_module_that_exits_is_a_metric_that_cannot_be_imported(tmp_path, monkeypatch):
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownMetric, match="cannot be imported: SystemExit: 0"):
        registry.lookup("leaving:metric")


LOUD = """
import os
from evaluator.metrics import dataset_metric
print("module")
os.system("echo command")

def missing(label, classes, parameters):
    print("missing")
    return [0.0]

@dataset_metric(direction="higher", minimum=0, maximum=1, missing=missing)
def metric(data, parameters):
    print("metric")
    return 0.5
"""


def test_what_a_plugin_prints_is_not_in_the_report(tmp_path):
    dataset = numbers(tmp_path, "task1", LABELS, [*SCORES[:5], None])
    dataset.save_for_command()
    (tmp_path / "loud.py").write_text(LOUD)
    content = dataset.challenge.model_dump(mode="json")
    boards = {"task1": {"metrics": {"loud": {"metric": "loud:metric"}}, "bootstrap": {"resamples": 5}}}
    (tmp_path / "challenge.json").write_text(json.dumps(merge(content, {"boards": boards})))
    command = [sys.executable, "-m", "evaluator", "score", "--json", "-", "--board", "task1"]
    command += ["--challenge", tmp_path / "challenge.json", "--manifest", dataset.manifest]
    command += ["--references", dataset.references, "--predictions", dataset.predictions]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert json.loads(done.stdout)["metrics"]["loud"]["value"] == 0.5, done.stderr
    assert {"module", "command", "missing", "metric"} <= set(done.stderr.split())


def test_an_undefined_value_is_no_failure(tmp_path):
    dataset = numbers(tmp_path, "task1", LABELS, SCORES)
    found = scored(
        dataset,
        "task1",
        {
            "none": {"metric": f"{BROKEN}:undefined"},
            "some": {"metric": f"{BROKEN}:nan_in_resamples"},
        },
        resamples=50,
    ).metrics
    assert (found["none"].reason, found["none"].fault) == ("There is nothing to compare.", None)
    assert (found["some"].value, found["some"].fault) == (0.5, None)
    assert None in found["some"].replicates
    assert 0.5 in found["some"].replicates


def test_not_a_number_for_a_case_is_a_failure(tmp_path):
    dataset = Dataset(tmp_path, fomo26(), "task2")
    for case, value in {"a": 1, "b": 0}.items():
        dataset.reference_map(case, np.ones((3, 3, 3)))
        dataset.predict(case, np.full((3, 3, 3), value))
    report = scored(dataset, "task2", {"odd": {"metric": f"{BROKEN}:nan_for_empty"}})
    assert report.metrics["odd"].fault == "scorer_failed"
    assert "odd" not in report.per_case
    assert report.per_case["dsc"] == (1, 0)


def test_fairness_of_a_metric_that_fails_leaves_the_probe_and_its_groups(tmp_path):
    dataset = embeddings(tmp_path)
    report = scored(dataset, "task7", {"odd": {"metric": "fairness", "of": f"{BROKEN}:raises"}})
    assert report.metrics["odd"].fault == "scorer_failed"
    assert report.metrics["fairness_auroc"].value is not None
    assert report.extras.groups["sex"]["f"].values["fairness_auroc"] is not None


def test_fairness_asks_a_plugin_in_its_own_process_only(tmp_path):
    dataset = embeddings(tmp_path)
    compared = f"{BROKEN}:replaces_and_exits"  # in this process it would end the tests
    report = scored(dataset, "task7", {"odd": {"metric": "fairness", "of": compared}}, resamples=5)
    assert (report.metrics["odd"].value, report.metrics["odd"].fault) == (1.0, None)
    (tmp_path / "overlay.yaml").write_text(
        f'boards: {{task7: {{metrics: {{odd: {{metric: fairness, of: "{compared}"}}}}}}}}'
    )
    assert load_challenge(CHALLENGES / "fomo26" / "challenge.yaml", tmp_path / "overlay.yaml")


def test_metrics_are_scored_in_any_thread(tmp_path):
    dataset = numbers(tmp_path, "task1", LABELS, SCORES)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(scored(dataset, "task1", {"s": {"metric": f"{BROKEN}:hangs"}}))
    )
    thread.start()
    thread.join(30)
    assert found[0].metrics["s"].fault == "scorer_failed"


def test_a_module_that_cannot_be_imported_is_said_before_anything_is_scored(tmp_path, monkeypatch):
    (tmp_path / "halfway.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownMetric, match="cannot be imported: RuntimeError: no licence"):
        registry.lookup("halfway:metric")


def test_the_command_writes_the_other_metrics_and_exits_3(tmp_path):
    dataset = numbers(tmp_path, "task1", LABELS, SCORES)
    dataset.save_for_command()
    content = dataset.challenge.model_dump(mode="json")
    metrics = {"odd": {"metric": f"{BROKEN}:raises"}}
    challenge = parse_challenge(merge(content, {"boards": {"task1": {"metrics": metrics}}}))
    (tmp_path / "challenge.json").write_text(challenge.model_dump_json())
    arguments = [
        "--challenge",
        tmp_path / "challenge.json",
        "--board",
        "task1",
        "--json",
        tmp_path / "r.json",
    ]
    arguments += ["--manifest", dataset.manifest, "--references", dataset.references]
    done = CliRunner().invoke(app, ["score", *map(str, [*arguments, "--predictions", dataset.predictions])])
    assert done.exit_code == 3, done.output
    assert f"The metric {BROKEN}:raises failed" in done.stderr
    assert "task1 auroc: 0.6667" in done.stdout
    assert '"fault": "scorer_failed"' in (tmp_path / "r.json").read_text()
