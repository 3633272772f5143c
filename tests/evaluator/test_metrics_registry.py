import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from evaluator.metrics import (
    DATASETS,
    CaseData,
    CaseMetric,
    DatasetData,
    DatasetMetric,
    NotScored,
    case_metric,
    dataset_metric,
    registry,
)
from evaluator.metrics.registry import UnknownMetric
from evaluator.spec import load_challenge

CHALLENGES = Path(__file__).parents[2] / "challenges"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("challenge", ["fomo25", "fomo26"])
def test_every_metric_of_the_challenges_is_found_and_takes_its_parameters(challenge):
    for board in load_challenge(CHALLENGES / challenge / "challenge.yaml").boards.values():
        for metric in board.metrics.values():
            registry.lookup(metric.metric).parse(metric.parameters)


def test_the_worst_value_lies_at_the_worse_end_of_the_range():
    for name in registry.names():
        metric = registry.lookup(name)
        assert metric.name == name
        assert metric.worst == (metric.minimum if metric.direction == "higher" else metric.maximum)
        assert metric.scope == ("per_case" if isinstance(metric, CaseMetric) else "per_dataset")


def test_every_row_says_what_people_call_the_metric_and_how_it_is_resampled():
    rows = [registry.lookup(name) for name in registry.names()]
    assert [row.name for row in rows if not row.title] == []
    of_datasets = [row for row in rows if isinstance(row, DatasetMetric)]
    assert [row.name for row in of_datasets if row.weighted is None] == []
    of_scores = [row for row in of_datasets if row.material == DATASETS]
    assert {row.name for row in of_scores if row.reads is None} == {"fairness"}  # that of what it compares


def test_the_tables_of_the_documentation_name_every_metric_with_its_direction():
    said = {}
    for page in sorted(DOCS.glob("metrics-*.md")):
        for line in page.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 3 and cells[2] in ("higher", "lower"):
                said |= dict.fromkeys(cells[1].replace("`", "").split(), cells[2])
    assert said == {name: registry.lookup(name).direction for name in registry.names()}


def test_ranges_are_those_of_the_definitions():
    ranges = {
        name: (registry.lookup(name).minimum, registry.lookup(name).maximum) for name in registry.names()
    }
    unbounded = {
        "mae",
        "rmse",
        "mean_radial_error",
        "log_loss",
        "class_log_loss",
        "brier_resolution",  # at most the uncertainty, which the labels decide
    } | {name for name in ranges if name.endswith(("distance", "difference", "hausdorff"))}
    expected = dict.fromkeys(ranges, (0, 1)) | dict.fromkeys(unbounded, (0, math.inf))
    correlations = {
        "pearson", "spearman", "concordance_correlation", "mcc", "class_mcc", "kappa", "class_kappa",
    }  # fmt: skip
    assert ranges == expected | {"r2": (-math.inf, 1)} | dict.fromkeys(correlations, (-1, 1))


@pytest.mark.parametrize("decorator", [case_metric, partial(dataset_metric, missing=0.0)])
def test_a_decorated_function_is_a_metric_named_after_it_with_the_worse_end_as_its_worst_value(decorator):
    def spread(data, parameters):
        return 1.0

    made = decorator(direction="higher", minimum=-1, maximum=2)(spread)
    assert (made.name, made.direction, made.worst) == ("spread", "higher", -1)
    assert (made.title, made.unit) == (None, "")
    made = decorator(direction="lower", minimum=-1, maximum=2, title="Spread", unit="mm")(spread)
    assert (made.title, made.unit) == ("Spread", "mm")
    made = decorator(direction="lower", minimum=-1, maximum=2, name="given")(spread)
    assert (made.name, made.minimum, made.maximum, made.worst) == ("given", -1, 2, 2)
    assert decorator(direction="lower", minimum=-1, maximum=2, worst=0)(spread).worst == 0


def test_names_of_what_is_no_metric_are_unknown():
    for name in (
        "evaluator.metrics.overlap:dice",
        "no.such.module:x",
        "evaluator:nothing",
        ":",
        "os:path",
        "unknown",
    ):
        with pytest.raises(UnknownMetric):
            registry.lookup(name)


def test_an_installed_metric_is_found_by_its_entry_point(monkeypatch, tmp_path):
    (tmp_path / "volume_metric.py").write_text(
        "from evaluator.metrics import CaseMetric, Parameters\n"
        "METRIC = CaseMetric('volume', 'lower', 0, 9, 9, Parameters, lambda case, _: case.prediction.sum())\n"
    )
    info = tmp_path / "volume-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: volume\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[evaluator.metrics]\nvolume = volume_metric:METRIC\n")
    monkeypatch.syspath_prepend(tmp_path)
    case = CaseData(np.ones((2, 2, 2)), np.ones((2, 2, 2)), (1, 1, 1))
    for name in ("volume", "volume_metric:METRIC"):
        metric = registry.lookup(name)
        assert metric.score(case, metric.parse({})) == 8.0
    registry.lookup.cache_clear()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("dice", {}), ("dice", {"labels": []}), ("dice", {"labels": [1], "tolerance_mm": 1}),
        ("auroc", {"labels": [1]}),
        ("dice", {"labels": [1], "both_empty": 2}), ("surface_dice", {"labels": [1]}), ("mae", {"missing": math.nan}),
        ("surface_dice", {"labels": [1], "tolerance_mm": -1}), ("fairness", {}),
    ],
)  # fmt: skip
def test_unknown_or_missing_parameters_are_errors(name, fields):
    with pytest.raises(ValidationError):
        registry.lookup(name).parse(fields)


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("surface_dice", "tolerance_mm", (0, 0.5, 1e9)), ("hausdorff", "one_empty", (0, 0.5, 1e9)),
        ("volume_difference", "missing", (0, 0.5, 1e9)), ("dice", "both_empty", (0, 0.5, 1)),
    ],
)  # fmt: skip
def test_a_parameter_may_lie_anywhere_in_its_range_ends_included(name, field, values):
    metric = registry.lookup(name)
    assert [getattr(metric.parse({"labels": [1], field: one}), field) for one in values] == list(values)


def test_a_metric_may_compute_for_ten_minutes_unless_it_declares_up_to_a_day():
    def metric(**seconds):
        return case_metric(direction="lower", minimum=0, maximum=1, **seconds)(lambda case, _: 0.0)

    assert metric().seconds == 10 * 60
    assert metric(seconds=24 * 60 * 60).seconds == 24 * 60 * 60
    for seconds in (0, 24 * 60 * 60 + 1, math.nan):
        with pytest.raises(ValueError, match="not above 0 and up to 86400"):
            metric(seconds=seconds)


def test_labels_are_averaged_as_the_task_lists_them():
    prediction = np.zeros((4, 4, 4), np.uint8)
    prediction[0] = 1
    case = CaseData(prediction, prediction.copy(), (1.0, 1.0, 1.0))
    dice, nsd = registry.lookup("dice"), registry.lookup("surface_dice")
    assert dice.score(case, dice.parse({"labels": [1, 2]})) == 1.0  # label 2 is in neither
    assert dice.score(case, dice.parse({"labels": [1, 2], "both_empty": 0})) == 0.5
    assert nsd.score(case, nsd.parse({"labels": [1, 2], "tolerance_mm": 1})) == 0.5
    assert nsd.score(case, nsd.parse({"labels": [1, 2], "tolerance_mm": 1, "both_empty": 1})) == 1.0


@pytest.mark.parametrize(
    ("name", "fields", "label", "classes", "expected"),
    [
        ("auroc", {}, 1, 2, [0.0]),
        ("auroc", {}, 0, 2, [1.0]),
        ("ovr_auroc", {}, 1, 3, [0.5, 0.0, 0.5]),
        ("macro_f1", {}, 1, 3, [0, 0, 1]),
        ("macro_f1", {}, 2, 3, [1, 0, 0]),
        ("mae", {}, 55, 1, [100.0]),
        ("mae", {"missing": 0}, 55, 1, [0.0]),
        ("pearson", {}, 55, 1, [-100.0]),
        ("fairness", {"of": "ovr_auroc"}, 0, 3, [0, 0.5, 0.5]),
        ("fairness", {"of": "macro_f1"}, 0, 3, [0, 1, 0]),
    ],
)
def test_a_missing_output_has_its_declared_replacement(name, fields, label, classes, expected):
    metric = registry.lookup(name)
    assert metric.replace(label, classes, metric.parse(fields)).tolist() == expected


def test_fairness_compares_the_groups_of_each_variable():
    labels = np.array([0, 1, 0, 1, 0, 1])
    scores = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [0.9, 0.1], [0.1, 0.9]])
    groups = {
        "sex": ["f", "f", "m", "m", None, None],
        "age": ["young", "young", "young", "young", "old", "old"],
    }
    fair = registry.lookup("fairness")
    data = DatasetData(labels, scores, groups)
    # women 1, men 0; the young 3 of 4 pairs, the old 1
    assert fair.score(data, fair.parse({"of": "ovr_auroc"})) == pytest.approx((0 + 0.75) / 2)


def test_fairness_leaves_out_groups_whose_metric_is_undefined():
    data = DatasetData(np.array([0, 1, 1]), np.array([[1, 0], [0, 1], [0, 1.0]]), {"sex": ["f", "f", "m"]})
    fair = registry.lookup("fairness")
    assert fair.score(data, fair.parse({"of": "ovr_auroc"})) == 1.0
    with pytest.raises(NotScored):
        fair.score(DatasetData(data.labels, data.scores, {}), fair.parse({"of": "ovr_auroc"}))


def test_whatever_a_module_raises_is_a_metric_that_cannot_be_imported(monkeypatch, tmp_path):
    (tmp_path / "odd_metrics.py").write_text("class Odd(BaseException): pass\nraise Odd('no')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(registry.UnknownMetric, match="cannot be imported: Odd: no"):
        registry.lookup("odd_metrics:metric")


def test_a_module_does_not_change_how_others_calculate(monkeypatch, tmp_path):
    (tmp_path / "strict_metrics.py").write_text(
        "import numpy as np\nnp.seterr(all='raise')\nfrom tests.evaluator.broken_metrics import raises\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = np.geterr()
    registry.lookup("strict_metrics:raises")
    assert np.geterr() == before


@pytest.mark.parametrize("of", ["dice", "mae", "pearson"])
def test_fairness_of_what_has_no_unit_range_is_refused(of):
    fair = registry.lookup("fairness")
    with pytest.raises(ValueError, match="from 0 to 1"):
        fair.score(DatasetData(np.array([0, 1]), np.array([0, 1.0])), fair.parse({"of": of}))
