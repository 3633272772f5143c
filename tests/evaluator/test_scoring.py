import math

import numpy as np
import pytest

from evaluator.manifest import ManifestError
from evaluator.metrics import DatasetData, NotScored
from evaluator.metrics.classification import auroc, macro_f1
from evaluator.metrics.influence import of_auroc
from evaluator.metrics.overlap import dice
from evaluator.metrics.registry import lookup
from evaluator.probe import split_cases
from evaluator.probe._cache import _memory
from evaluator.scoring import Report, ScoringError, score_board
from evaluator.spec import merge
from tests.evaluator.datasets import ONE_SEED, RANKED, Dataset, embeddings, fomo26, numbers


def scored(dataset, board, challenge=None) -> Report:
    manifest = dataset.save()
    return score_board(
        challenge or dataset.challenge, board, manifest, dataset.references, dataset.predictions
    )


def cube(size, at=0, shape=(6, 6, 6)):
    labels = np.zeros(shape, np.uint8)
    labels[at : at + size, :size, :size] = 1
    return labels


# whole-dataset metrics over numbers


def test_auroc_of_a_board_with_interval_and_paired_replicates(tmp_path):
    labels = [0, 1] * 10
    scores = [0.1, 0.9, 0.4, 0.3, 0.2, 0.6, 0.7, 0.8, 0.5, 0.45] * 2
    report = scored(numbers(tmp_path, "task1", labels, scores), "task1")
    metric = report.metrics["auroc"]
    assert metric.value == auroc(labels, scores)
    assert metric.low < metric.value < metric.high
    assert len(metric.replicates) == 1000
    assert report.cases == tuple(f"c{number}" for number in range(20))
    assert report.rejected is None


def test_a_label_of_minus_zero_is_of_the_class_of_zero(tmp_path):
    labels, scores = [0, 1] * 10, [number / 20 for number in range(20)]
    plain = scored(numbers(tmp_path / "plain", "task1", labels, scores), "task1").metrics["auroc"]
    signed = numbers(tmp_path / "signed", "task1", ["-0", *labels[1:]], scores)
    assert scored(signed, "task1").metrics["auroc"].replicates == plain.replicates


def test_a_missing_number_takes_the_worst_score_for_its_label(tmp_path):
    labels, scores = [0, 1, 0, 1], [0.2, 0.7, None, None]
    report = scored(numbers(tmp_path, "task1", labels, scores), "task1")
    assert report.metrics["auroc"].value == auroc(labels, [0.2, 0.7, 1, 0])
    assert report.extras.missing == 2


def test_predictions_beside_the_manifest_are_never_looked_at(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1], [0.2, 0.7])
    (dataset.predictions / "other.txt").write_text("not even a number")
    assert scored(dataset, "task1").metrics["auroc"].value == 1


def test_a_missing_age_takes_the_prediction_that_the_challenge_declares(tmp_path):
    report = scored(numbers(tmp_path, "task3", [20, 40, 60], [21, 38, None]), "task3")
    assert report.metrics["mae"].value == pytest.approx((1 + 2 + 40) / 3)
    assert report.metrics["correlation"].value == pytest.approx(
        np.corrcoef([20, 40, 60], [21, 38, -100])[0, 1]
    )


def test_an_undefined_metric_has_no_value_but_a_reason(tmp_path):
    report = scored(numbers(tmp_path, "task3", [20, 40, 60], [30, 30, 30]), "task3")
    metric = report.metrics["correlation"]
    assert (metric.value, metric.low, metric.replicates) == (None, None, ())
    assert "constant" in metric.reason
    assert report.metrics["mae"].value == pytest.approx(50 / 3)


def test_an_undefined_replicate_is_null_and_no_number(tmp_path):
    report = scored(numbers(tmp_path, "task3", [20, 40, 60], [25, 30, 30], sites="A"), "task3")
    kept = report.metrics["correlation"].replicates
    assert None in kept
    assert not any(one is not None and math.isnan(one) for one in kept)
    assert "NaN" not in report.model_dump_json()


def test_replicates_of_two_submissions_are_paired(tmp_path):
    labels = [0, 1] * 12
    good, bad = (
        scored(numbers(tmp_path / name, "task1", labels, values), "task1").metrics["auroc"].replicates
        for name, values in {
            "good": np.linspace(0, 0.5, 24) + np.array(labels) * 0.2,
            "bad": np.linspace(0, 0.5, 24) + np.array(labels) * 0.1,
        }.items()
    )
    assert all(better >= worse for better, worse in zip(good, bad, strict=True))


def test_a_report_repeats_itself_to_the_byte_and_survives_json(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1] * 6, np.linspace(0, 1, 12))
    first, second = scored(dataset, "task1"), scored(dataset, "task1")
    assert first.model_dump_json() == second.model_dump_json()
    assert Report.model_validate_json(first.model_dump_json()) == first


def test_labels_that_are_no_classes_are_the_datasets_fault(tmp_path):
    with pytest.raises(ScoringError, match="labels"):
        scored(numbers(tmp_path, "task1", [0, 0.5], [0.2, 0.7]), "task1")


def test_a_case_without_label_is_an_error_with_its_line(tmp_path):
    with pytest.raises(ManifestError, match=r"references.csv:3: the case has no label"):
        scored(numbers(tmp_path, "task1", [0, ""], [0.2, 0.7]), "task1")


def test_unknown_board_and_unfit_metrics_are_errors(tmp_path):
    dataset = numbers(tmp_path, "task1", [0, 1], [0.2, 0.7])
    with pytest.raises(ScoringError, match="there is no board 'task9'"):
        scored(dataset, "task9")
    for metric, message in {
        "dice": "labels: Field required",
        "nothing": "there is no metric 'nothing'",
        "fairness": "of: Field required",
    }.items():
        challenge = fomo26(task1={"metrics": {"auroc": {"metric": metric}}})
        with pytest.raises(ScoringError, match=f"metric auroc: {message}"):
            scored(dataset, "task1", challenge)
    challenge = fomo26(task1={"metrics": {"auroc": {"metric": "dice", "labels": [1]}}})
    with pytest.raises(ScoringError, match="dice is not a metric of whole datasets"):
        scored(dataset, "task1", challenge)


@pytest.mark.parametrize(
    ("name", "worst"),
    [
        ("auroc", 0), ("balanced_accuracy", 0), ("f1", 0), ("brier", 1), ("calibration_error", 1),
        ("ovr_auroc", 0), ("macro_f1", 0), ("macro_recall", 0),
    ],
)  # fmt: skip
def test_without_any_output_a_metric_is_as_bad_as_can_be(name, worst):
    metric = lookup(name)
    parameters = metric.parse({})
    binary = metric.replace(0, 2, parameters).shape == (1,)
    labels = np.arange(12) % (2 if binary else 3)
    rows = np.array([metric.replace(label, 2 if binary else 3, parameters) for label in labels])
    data = DatasetData(labels, rows[:, 0] if binary else rows)
    assert metric.score(data, parameters) == worst == metric.worst


# single-case metrics of segmentations


def segmentations(root, *pairs, task="task2", spacing=(1, 1, 1)):
    found = Dataset(root, fomo26(), task)
    for number, (reference, prediction) in enumerate(pairs):
        found.reference_map(f"c{number}", reference, spacing)
        if prediction is not None:
            found.predict(f"c{number}", prediction)
    return found


def test_segmentations_are_scored_per_case_and_averaged_over_the_manifest(tmp_path):
    pairs = [(cube(3), cube(3)), (cube(3), cube(2)), (cube(3), None), (cube(0), cube(0))]
    report = scored(segmentations(tmp_path, *pairs), "task2")
    overlap = dice(cube(2) > 0, cube(3) > 0)
    assert report.per_case["dsc"] == (1, overlap, 0, 1)
    assert report.per_case["nsd"][2:] == (0, 0)
    assert report.metrics["dsc"].value == pytest.approx((1 + overlap + 0 + 1) / 4)
    assert report.extras.missing == 1


def test_an_output_of_another_shape_counts_like_a_missing_one(tmp_path):
    report = scored(segmentations(tmp_path, (cube(3), cube(3, shape=(6, 6, 5)))), "task2")
    assert report.per_case["dsc"] == (0,)
    assert (report.extras.missing, report.extras.wrong_shape) == (0, 1)


def test_surface_distance_uses_the_references_spacing(tmp_path):
    shifted = (cube(3), cube(3, at=1))
    near = scored(segmentations(tmp_path / "near", shifted, spacing=(1, 1, 1)), "task2")
    far = scored(segmentations(tmp_path / "far", shifted, spacing=(3, 1, 1)), "task2")
    assert near.metrics["nsd"].value == 1
    assert far.metrics["nsd"].value < 1
    assert far.extras.spacing_mm == ((3, 1, 1),)


def test_two_labels_are_averaged_within_the_case(tmp_path):
    reference = cube(3) + 2 * cube(2, at=4)
    report = scored(segmentations(tmp_path, (reference, cube(3)), task="task4"), "task4")
    assert report.per_case["dsc"] == (0.5,)


# the probe and its fairness


def test_a_probe_board_reports_values_and_how_it_was_trained(tmp_path):
    report = scored(embeddings(tmp_path), "task6")
    assert report.metrics["ovr_auroc"].value > 0.9
    assert report.metrics["f1"].value > 0.8
    probe = report.extras.probe
    assert (probe.classes, probe.width, probe.train, probe.val, probe.test) == (
        ("ad", "cn", "ms"),
        10,
        18,
        6,
        24,
    )
    assert probe.learning_rate in probe.learning_rates
    assert len(probe.validation) == 13
    assert len(report.metrics["f1"].replicates) == 1000


def test_fairness_is_a_board_of_the_same_outputs_with_group_sizes(tmp_path):
    report = scored(embeddings(tmp_path, distance=0.4), "task7", fomo26(task7=merge(ONE_SEED, RANKED)))
    groups = report.extras.groups
    assert set(groups["sex"]) == {"f", "m"}  # lower case; a case without sex is in no group
    assert sum(group.size for group in groups["sex"].values()) < 24
    assert sum(group.size for group in groups["age"].values()) == 24
    for key in ("fairness_auroc", "fairness_f1"):
        even = [
            1 - (max(values) - min(values))
            for found in groups.values()
            if (values := [group.values[key] for group in found.values() if group.values[key] is not None])
        ]
        assert report.metrics[key].value == pytest.approx(np.mean(even))
        assert report.metrics[key].low <= report.metrics[key].high


def positions(dataset, part):
    """Case names of one part of the probe's split."""
    split = split_cases(
        [str(row["cohort"]) for row in dataset.rows],
        [float(row["age"]) for row in dataset.rows],
        dataset.challenge.boards["task6"].probe,
    )
    return [dataset.rows[position]["case"] for position in getattr(split, part)]


def test_a_missing_test_embedding_lowers_the_score_and_rejects_nothing(tmp_path):
    dataset = embeddings(tmp_path, distance=4)
    challenge = fomo26(task6={"probe": {"learning_rates": [0.1]}})
    assert scored(dataset, "task6", challenge).metrics["f1"].value == 1
    (dataset.predictions / f"{positions(dataset, 'test')[0]}.npy").unlink()
    report = scored(dataset, "task6", challenge)
    assert report.rejected is None
    assert report.metrics["ovr_auroc"].value < 1
    truth, guess = np.eye(3)[np.repeat([0, 1, 2], 8)], np.eye(3)[np.repeat([0, 1, 2], 8)]
    guess[0] = [0, 1, 0]  # the declared replacement: the next class
    assert report.metrics["f1"].value == pytest.approx(macro_f1(truth.argmax(axis=1), guess))


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_missing_training_or_validation_embedding_rejects_the_run(tmp_path, part):
    dataset = embeddings(tmp_path)
    (dataset.predictions / f"{positions(dataset, part)[0]}.npy").unlink()
    report = scored(dataset, "task6")
    assert report.rejected.startswith("1 of the 24 embeddings")
    assert [metric.value for metric in report.metrics.values()] == [None, None]
    assert "sub-" not in report.rejected


def test_embeddings_of_unequal_width_reject_the_run(tmp_path):
    dataset = embeddings(tmp_path)
    dataset.predict(positions(dataset, "test")[0], np.ones(11))
    report = scored(dataset, "task7")
    assert "10 (47 cases), 11 (1 cases)" in report.rejected


def test_embeddings_on_which_every_head_diverges_are_not_scored(tmp_path):
    dataset = embeddings(tmp_path)
    for row in dataset.rows:
        dataset.predict(row["case"], np.full(10, 3e38) * (-1) ** len(row["case"]))
    challenge = fomo26()
    board = challenge.boards["task6"]
    # A challenge file takes no rate at which double precision overflows.
    probe = board.probe.model_copy(update={"learning_rates": (1e300,)})
    boards = {**challenge.boards, "task6": board.model_copy(update={"probe": probe})}
    challenge = challenge.model_copy(update={"boards": boards})
    report = scored(dataset, "task6", challenge)
    assert report.rejected is None
    assert "diverged" in report.metrics["f1"].reason


def test_a_cohort_too_small_for_the_split_gives_nobody_a_value_and_rejects_nobody(tmp_path):
    report = scored(embeddings(tmp_path, per_class=9), "task6")
    assert report.rejected is None
    assert {one.value for one in report.metrics.values()} == {None}
    assert "too few for the probe" in report.metrics["ovr_auroc"].reason
    assert "ad" not in report.metrics["ovr_auroc"].reason.split(), "names of cohorts are nobody's business"


def uninformed(root, fill=1.0):
    """Every embedding the same."""
    dataset = embeddings(root)
    for row in dataset.rows:
        dataset.predict(row["case"], np.full(10, fill))
    return dataset


def test_a_probe_board_says_what_its_seed_moves_and_what_a_convex_fit_reaches(tmp_path):
    report = scored(embeddings(tmp_path, distance=0.4), "task6", fomo26(task6=ONE_SEED))
    probe = report.extras.probe
    assert (probe.seed, len(probe.seeds), len(set(probe.seeds))) == (42, 20, 20)
    found = probe.by_seed["ovr_auroc"]
    assert found.values[probe.seeds.index(42)] == report.metrics["ovr_auroc"].value
    assert found.mean == pytest.approx(np.mean(found.values))
    assert found.sd == pytest.approx(np.std(found.values, ddof=1))
    assert (found.low, found.high) == (min(found.values), max(found.values))
    assert found.low < found.high
    assert 0.5 < probe.reference["ovr_auroc"] <= 1
    assert report.extras.sampling == "test-case sampling only"


def test_the_mean_over_seeds_may_be_the_score(tmp_path):
    dataset = embeddings(tmp_path, distance=0.4)
    by_seed = scored(dataset, "task6").extras.probe.by_seed
    report = scored(dataset, "task6", fomo26(task6={"bootstrap": {"sources": "test_cases"}}))
    for key, metric in report.metrics.items():
        assert metric.value == pytest.approx(by_seed[key].mean, abs=1e-12)
        assert metric.low < metric.value < metric.high
        assert np.mean(metric.replicates) == pytest.approx(metric.value, abs=0.02)
        assert np.sqrt(np.sum(np.square(metric.influence))) == pytest.approx(
            np.std(metric.replicates), rel=0.25
        )


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ("test_cases_and_seeds", "test cases and training seeds"),
        ("test_cases_seeds_and_split", "test cases, training seeds and splits"),
    ],
)
def test_replicates_may_draw_seeds_and_splits_too(tmp_path, sources, words):
    dataset = embeddings(tmp_path, distance=0.4)
    changes = merge(ONE_SEED, {"bootstrap": {"sources": sources}})
    report, again = (scored(dataset, "task6", fomo26(task6=changes)) for _ in range(2))
    plain = scored(dataset, "task6", fomo26(task6=ONE_SEED))
    assert report.extras.sampling == words
    assert report.metrics == again.metrics
    for key, metric in report.metrics.items():
        assert metric.value == plain.metrics[key].value
        assert len(metric.replicates) == 1000
        assert np.std(metric.replicates) > 0.9 * np.std(plain.metrics[key].replicates)


def test_a_board_without_probe_has_no_seeds_to_draw():
    with pytest.raises(ValueError, match="only a board with a probe"):
        fomo26(task1={"bootstrap": {"sources": "test_cases_and_seeds"}})


def test_boards_of_the_same_embeddings_train_their_probes_once(tmp_path):
    dataset = embeddings(tmp_path / "data", distance=0.4)
    manifest, cache = dataset.save(), tmp_path / "probes"
    _memory.clear()

    def report(board):
        return score_board(
            dataset.challenge, board, manifest, dataset.references, dataset.predictions, cache=cache
        )

    first = report("task6")
    made = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(made) == 21  # twenty seeds, of which 42 is one, and the reference
    _memory.clear()  # the next board is scored by another process
    second = report("task7")
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == made
    assert first.extras.probe.validation == second.extras.probe.validation
    _memory.clear()
    assert report("task6") == first == scored(dataset, "task6")


def test_groups_have_intervals_and_say_where_they_are_too_small(tmp_path):
    report = scored(embeddings(tmp_path, distance=0.4), "task7", fomo26(task7=RANKED))
    for group in report.extras.groups["sex"].values():
        assert group.subjects == group.size
        assert group.enough == (group.subjects >= 20)
        low, high = group.intervals["fairness_auroc"]
        assert low <= group.values["fairness_auroc"] <= high
    sex = report.extras.fairness["fairness_auroc"].variables["sex"]
    assert not sex.enough
    lenient = fomo26(task7={"groups": [{"variable": "sex", "enough": 2}]})
    again = scored(embeddings(tmp_path / "again", distance=0.4), "task7", lenient)
    assert again.extras.fairness["fairness_auroc"].variables["sex"].enough
    assert set(again.extras.groups) == {"sex"}


def test_a_disparity_stands_beside_what_chance_alone_gives(tmp_path):
    report = scored(embeddings(tmp_path, distance=0.4), "task7", fomo26(task7=RANKED))
    for key, found in report.extras.fairness.items():
        even = [1 - one.disparity for one in found.variables.values()]
        assert report.metrics[key].value == pytest.approx(np.mean(even))
        for one in found.variables.values():
            assert 0 < one.expected < one.expected_high
            assert 0 < one.p_value <= 1
        values = {name: group.values[key] for name, group in report.extras.groups["sex"].items()}
        assert found.variables["sex"].worst == min(values, key=values.get)
        assert found.variables["sex"].worst_value == min(values.values())


def test_an_unfair_probe_exceeds_what_chance_gives(tmp_path):
    dataset = embeddings(tmp_path, distance=2, per_class=40)
    stream = np.random.default_rng(1)
    for row in dataset.rows:
        row["sex"] = "m" if int(str(row["case"]).partition("-")[2]) % 2 else "f"
        if row["sex"] == "f":
            dataset.predict(row["case"], stream.normal(0, 1, 10))  # nothing is known of women
    challenge = fomo26(task7={"probe": {"n_train": 10, "n_val": 5, "n_test": 25}})
    found = scored(dataset, "task7", challenge).extras.fairness["fairness_auroc"].variables
    assert found["sex"].worst == "f"
    assert found["sex"].disparity > found["sex"].expected_high
    assert found["sex"].p_value < 0.05


def test_a_constant_embedding_is_fair_because_uninformative(tmp_path):
    report = scored(uninformed(tmp_path), "task7", fomo26(task7=RANKED))
    assert report.metrics["fairness_auroc"].value == 1
    for found in report.extras.fairness.values():
        assert found.uninformative
    assert report.extras.fairness["fairness_auroc"].chance == 0.5


def test_the_challenge_may_leave_uninformative_fairness_without_a_value(tmp_path):
    metrics = merge(RANKED["metrics"], {"fairness_auroc": {"uninformative": "not_scored"}})
    challenge = fomo26(task7={"metrics": metrics})
    report = scored(uninformed(tmp_path / "constant"), "task7", challenge)
    assert report.metrics["fairness_auroc"].value is None
    reason = report.metrics["fairness_auroc"].reason
    assert reason.startswith(
        "Fairness counts only where macro OvR AUROC over all cases is better than chance"
    )
    assert report.metrics["fairness_f1"].value is not None
    good = scored(embeddings(tmp_path / "good"), "task7", challenge)
    assert good.metrics["fairness_auroc"].value is not None
    assert not good.extras.fairness["fairness_auroc"].uninformative


def test_failing_every_test_case_is_no_fairness(tmp_path):
    dataset = embeddings(tmp_path)
    for case in positions(dataset, "test"):
        (dataset.predictions / f"{case}.npy").unlink()
    report = scored(dataset, "task7")
    assert report.metrics["fairness_auroc"].value is None
    assert "nothing to compare between groups" in report.metrics["fairness_auroc"].reason
    assert report.extras.fairness["fairness_auroc"].value == 0
    assert report.extras.fairness["fairness_auroc"].uninformative


# influence


def test_a_score_carries_the_influence_of_each_subject(tmp_path):
    labels, scores = [0, 1] * 10, np.linspace(0, 1, 20)
    dataset = numbers(tmp_path, "task1", labels, scores)
    for number, row in enumerate(dataset.rows):
        row["subject"] = f"s{number // 4}"
    found = scored(dataset, "task1").metrics["auroc"].influence
    psi = of_auroc(labels, scores)
    assert found == pytest.approx([psi[start : start + 4].sum() for start in range(0, 20, 4)])


def test_every_kind_of_board_has_influence_and_fairness_has_none(tmp_path):
    pairs = [(cube(3), cube(size)) for size in (3, 2, 1)]
    segmented = scored(segmentations(tmp_path / "a", *pairs), "task2").metrics["dsc"]
    values = [1.0, dice(cube(2) > 0, cube(3) > 0), dice(cube(1) > 0, cube(3) > 0)]
    assert np.sum(np.square(segmented.influence)) == pytest.approx(np.var(values, ddof=1) / 3)
    ages = scored(numbers(tmp_path / "b", "task3", [20, 40, 60, 70], [25, 38, 61, 80]), "task3").metrics
    assert [len(metric.influence) for metric in ages.values()] == [4, 4]
    dataset = embeddings(tmp_path / "c")
    assert [len(one.influence) for one in scored(dataset, "task6").metrics.values()] == [24, 24]
    assert [one.influence for one in scored(dataset, "task7").metrics.values()] == [None, None]


# replicates


def repeated(name, parameters, data, counts):
    """Every resample written out, case by case."""
    metric = lookup(name)
    found = []
    for row in counts.astype(int):
        chosen = [case for case, count in enumerate(row) for _ in range(count)]
        groups = {key: [values[case] for case in chosen] for key, values in data.groups.items()}
        try:
            found.append(
                metric.score(DatasetData(data.labels[chosen], data.scores[chosen], groups), parameters)
            )
        except NotScored:
            found.append(math.nan)
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "fields", "classes"),
    [
        ("auroc", {}, 1),
        ("auprc", {}, 1),
        ("balanced_accuracy", {"threshold": 0.4}, 1),
        ("f1", {"threshold": 0.7}, 1),
        ("brier", {}, 1),
        ("calibration_error", {"bins": 4}, 1),
        ("ovr_auroc", {}, 2),
        ("ovr_auroc", {}, 4),
        ("ovr_auprc", {}, 2),
        ("ovr_auprc", {}, 4),
        ("macro_f1", {}, 4),
        ("macro_recall", {}, 4),
        ("ovr_brier", {}, 3),
        ("ovr_calibration_error", {}, 3),
        ("mae", {}, 0),
        ("rmse", {}, 0),
        ("r2", {}, 0),
        ("spearman", {}, 0),
        ("pearson", {}, 0),
        ("fairness", {"of": "ovr_auroc"}, 3),
        ("fairness", {"of": "macro_f1"}, 3),
    ],
)
@pytest.mark.parametrize("cases", [5, 40])  # so few that resamples without a class, or of one value, occur
def test_replicates_at_once_equal_the_metric_of_the_repeated_cases(name, fields, classes, cases):
    stream = np.random.default_rng(cases)
    shape = (cases, classes) if classes > 1 else (cases,)
    data = DatasetData(
        labels=stream.integers(0, max(classes, 2), cases)
        if classes
        else stream.normal(50, 20, cases).round(),
        scores=stream.random(shape).round(1),
        groups={"sex": ["f", "m", "m", None, "f"] * (cases // 5), "site": ["a"] * cases},
    )
    counts = stream.multinomial(cases, np.full(cases, 1 / cases), 200).astype(float)
    parameters = lookup(name).parse(fields)
    at_once = lookup(name).replicates(data, counts, parameters)
    one_by_one = repeated(name, parameters, data, counts)
    assert np.array_equal(np.isnan(at_once), np.isnan(one_by_one))
    assert np.nanmax(np.abs(at_once - one_by_one), initial=0) < 1e-9


def test_one_huge_outlier_does_not_drown_the_resamples_without_it():
    labels = np.array([20.0, 30, 40, 50, 60, 70])
    data = DatasetData(labels, np.array([21.0, 35, 39, 55, 58, 1e14]))
    counts = np.ones((2, 6))
    counts[1, 5] = 0
    metric = lookup("pearson")
    found = metric.replicates(data, counts, None)
    assert found[0] == pytest.approx(metric.score(data, None))
    assert found[1] == pytest.approx(metric.score(DatasetData(labels[:5], data.scores[:5]), None))


@pytest.mark.parametrize("subjects", [["s"], ["s", "s", "s"]])
def test_one_subject_gives_a_value_and_no_certainty(tmp_path, subjects):
    found = Dataset(tmp_path, fomo26(), "task2")
    for number, subject in enumerate(subjects):
        found.reference_map(f"c{number}", cube(3))
        found.rows[-1]["subject"] = subject
        found.predict(f"c{number}", cube(2))
    report = scored(found, "task2")
    for metric in report.metrics.values():
        assert metric.value is not None
        assert (metric.low, metric.high, metric.replicates) == (None, None, ())
