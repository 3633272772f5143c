"""What scoring makes of the same seeded outputs stays what it was: of four kinds of outputs, with all their metrics.

`python -m tests.evaluator.test_metrics_kept` writes the stored values again; only what was meant to change may differ.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from evaluator.comparison import Entrant, compare_track
from evaluator.metrics import registry
from evaluator.outputs._points import POINT
from evaluator.scoring import score_board
from evaluator.spec import parse_challenge
from tests.evaluator.datasets import ONE_SEED, Dataset, embeddings, fomo26

KEPT = Path(__file__).parents[1] / "data" / "metric_values.json"
CASES = 16
RESAMPLES = 12
BINARY = ("auroc", "auprc", "balanced_accuracy", "f1", "brier", "calibration_error")
CLASSES = ("ovr_auroc", "ovr_auprc", "macro_recall", "macro_f1", "ovr_brier", "ovr_calibration_error")
NUMBERS = ("mae", "rmse", "r2", "pearson", "spearman")
CALLS = {
    **{name: {"metric": name} for name in ("mcc", "kappa", "sensitivity", "specificity", "log_loss")},
    "sensitivity_at_specificity": {"metric": "sensitivity_at_specificity", "specificity": 0.75},
    "specificity_at_sensitivity": {"metric": "specificity_at_sensitivity", "sensitivity": 0.75},
    "brier_reliability": {"metric": "brier_reliability", "bins": 4},
    "brier_resolution": {"metric": "brier_resolution", "bins": 4},
}
CLASS_CALLS = {
    "class_mcc": {"metric": "class_mcc"},
    "class_kappa": {"metric": "class_kappa", "weights": "quadratic"},
    "class_log_loss": {"metric": "class_log_loss", "least": 0.01},
}
AGREEMENT = {"concordance_correlation": {"metric": "concordance_correlation", "missing": 0}}
MAPS = {
    "dice": {},
    "surface_dice": {"tolerance_mm": 1.0},
    "hausdorff": {"one_empty": 50},
    "mean_surface_distance": {"one_empty": 50},
    "median_surface_distance": {"one_empty": 50, "missing": 70},
    "volume_difference": {"missing": 3},
    "relative_volume_difference": {"reference_empty": 2},
    "lesion_f1": {},
    "lesion_sensitivity": {"reference_empty": 0.5},
    "lesion_dice": {},
    "panoptic_quality": {"min_iou": 0.2},
    "boundary_iou": {"width_mm": 1},
    "cldice": {},
}
POINTS = {
    "froc": {"metric": "froc", "radius_mm": 4},
    "sensitivity_at": {"metric": "sensitivity_at", "radius_mm": 4, "false_positives": 0.5},
    "detection_f1": {"metric": "detection_f1", "radius_mm": 4, "threshold": 0.3},
}
LANDMARKS = {
    "mean_radial_error": {"metric": "mean_radial_error", "missing": 20},
    "success_detection_rate": {"metric": "success_detection_rate", "radius_mm": 2},
}
SURVIVAL = {"concordance": {"metric": "concordance", "column": "risk", "truth": "months", "event": "died"}}
FAIRNESS = {
    "fair_auroc": {"metric": "fairness", "of": "ovr_auroc"},
    "fair_f1": {"metric": "fairness", "of": "macro_f1", "uninformative": "not_scored"},
}


def challenge(board, metrics, output=None):
    """FOMO26 with other metrics on one board, and perhaps another output of its task."""
    content = fomo26(task6=ONE_SEED, task7=ONE_SEED).model_dump(mode="json")
    found = content["boards"][board]
    found["metrics"], found["primary"] = metrics, None
    found["bootstrap"]["resamples"] = RESAMPLES
    if output is not None:
        content["tasks"][found["task"]]["output"] = output
    return parse_challenge(content)


def each(names):
    return {name: {"metric": name} for name in names}


def binary(root, seed):
    stream = np.random.default_rng(seed)
    found = Dataset(root, challenge("task1", each(BINARY) | CALLS), "task1")
    for number in range(CASES):
        found.reference(f"c{number}", label=number % 2, site="AB"[number % 3 % 2], subject=f"s{number // 2}")
        if number != 5:
            found.predict(
                f"c{number}", float(np.clip(stream.normal(0.35 + 0.3 * (number % 2), 0.3), 0, 1).round(2))
            )
    return found


def in_order(root, seed):
    found = Dataset(root, challenge("task1", each(BINARY) | CALLS), "task1")
    for number in range(CASES):
        found.reference(f"c{number}", label=number % 2)
        found.predict(f"c{number}", 0.2 + 0.5 * (number % 2) + seed / 1000)
    return found


def classes(root, seed, spread=0.4):
    stream, names = np.random.default_rng(seed), ["a", "b", "c"]
    found = Dataset(
        root, challenge("task1", each(CLASSES) | CLASS_CALLS, {"kind": "scores", "classes": names}), "task1"
    )
    for number in range(CASES):
        found.reference(f"c{number}", label=names[number % 3], site="AB"[number % 2])
        scores = np.exp(stream.normal(0, spread, 3) + np.eye(3)[number % 3])
        if number != 7 or not spread:
            found.predict(f"c{number}", tuple((scores / scores.sum()).tolist()))
    return found


def classes_in_order(root, seed):
    return classes(root, seed, spread=0)


def ages(root, seed):
    stream = np.random.default_rng(seed)
    found = Dataset(root, challenge("task3", each(NUMBERS) | AGREEMENT), "task3")
    for number in range(CASES):
        age = float(stream.integers(20, 80))
        found.reference(f"c{number}", label=age, site="AB"[number % 2])
        if number != 3:
            found.predict(f"c{number}", float(np.clip(stream.normal(age, 9), 0, 120).round(1)))
    return found


def maps(root, seed):
    metrics = {name: {"metric": name, "labels": [1, 2], **fields} for name, fields in MAPS.items()}
    stream = np.random.default_rng(seed)
    found = Dataset(root, challenge("task4", metrics), "task4")
    for number in range(6):
        truth, made = np.zeros((2, 9, 8, 7), np.uint8)
        at = stream.integers(0, 3, 6)
        truth[at[0] : at[0] + 4, 1:5, 1:4] = 1
        truth[6:, :, 4:] = 2 * (number != 2)
        made[at[1] : at[1] + 4, at[2] : 5, 1:4] = 1 * (number != 4)
        made[6:, at[3] :, 4:] = 2
        found.reference_map(f"c{number}", truth, spacing=(1.0, 0.5 + 0.25 * number, 2.0))
        if number != 3:
            found.predict(f"c{number}", made)
    return found


def probe(root, seed):
    found = embeddings(root, distance=0.7, seed=seed)
    found.challenge = challenge("task7", {**each(("ovr_auroc", "macro_f1", "macro_recall")), **FAIRNESS})
    return found


def probe_over_seeds(root, seed):
    found = embeddings(root, distance=0.7, seed=seed)
    content = challenge("task7", {**each(("ovr_auroc",)), **FAIRNESS}).model_dump(mode="json")
    content["boards"]["task7"]["probe"]["seeds"] = [42, 43]
    content["boards"]["task7"]["bootstrap"]["sources"] = "test_cases_and_seeds"
    found.challenge = parse_challenge(content)
    return found


def points(root, seed):
    stream = np.random.default_rng(seed)
    output = {"kind": "points", "confidence": True}
    found = Dataset(root, challenge("task1", POINTS, output), "task1")
    for number in range(CASES):
        truth = np.random.default_rng(number).integers(0, 30, (number % 4, 3)).astype(float)
        label = [dict(zip("xyz", place, strict=True)) for place in truth.tolist()]
        found.reference_file(f"c{number}", label, site="AB"[number % 2])
        made = np.zeros(len(truth) + 2, POINT)
        for axis, values in zip("xyz", truth.T, strict=True):
            made[axis][: len(truth)] = values + stream.normal(0, 2, len(truth)).round(2)
        made["x"][len(truth) :] = 99
        made["confidence"], made["name"] = stream.uniform(0, 1, len(made)).round(2), -1
        if number != 5:
            found.predict(f"c{number}", made)
    return found


def landmarks(root, seed):
    stream = np.random.default_rng(seed)
    output = {"kind": "points", "names": ["apex", "base", "tip"]}
    found = Dataset(root, challenge("task1", LANDMARKS, output), "task1")
    for number in range(CASES):
        made = np.zeros(3, POINT)
        label = [
            {"x": 1, "y": 2 * place, "z": number, "name": name} for place, name in enumerate(output["names"])
        ]
        found.reference_file(f"c{number}", label, subject=f"s{number // 2}")
        made["x"], made["y"], made["z"] = 1, np.arange(3) * 2 + stream.normal(0, 2, 3).round(2), number
        made["confidence"], made["name"] = 1, np.arange(3)
        if number != 5:
            found.predict(f"c{number}", made[: 3 - (number == 2)])
    return found


def survival(root, seed):
    stream = np.random.default_rng(seed)
    columns = [{"name": "risk"}]
    output = {
        "kind": "table",
        "columns": columns,
        "known": [{"name": "months"}, {"name": "died", "type": "boolean"}],
    }
    found = Dataset(root, challenge("task1", SURVIVAL, output), "task1")
    for number in range(CASES):
        months = float(np.random.default_rng(number).integers(1, 40))
        found.reference_file(
            f"c{number}", {"months": months, "died": number % 3 > 0}, subject=f"s{number // 2}"
        )
        if number != 5:
            found.predict(f"c{number}", (round(float(stream.normal(-months / 15, 1)), 1),))
    return found


SETS = {
    "binary": (binary, "task1"),
    "in_order": (in_order, "task1"),
    "classes": (classes, "task1"),
    "classes_in_order": (classes_in_order, "task1"),
    "ages": (ages, "task3"),
    "maps": (maps, "task4"),
    "points": (points, "task1"),
    "landmarks": (landmarks, "task1"),
    "survival": (survival, "task1"),
    "probe": (probe, "task7"),
    "probe_over_seeds": (probe_over_seeds, "task7"),
}


def made(name, root):
    """Of one set: the report of one team without what is no metric's, and how it is tested against another."""
    make, board = SETS[name]
    found = []
    for team, seed in (("one", 1), ("other", 2)):
        dataset = make(root / name / team, 1 if name == "ages" else seed)
        if name == "ages" and team == "other":
            dataset.predict("c0", 41.0)
        manifest = dataset.save()
        report = score_board(dataset.challenge, board, manifest, dataset.references, dataset.predictions)
        found.append(
            (team, report.model_copy(update={"extras": report.extras.model_copy(update={"dataset": name})}))
        )
    ranking = dataset.challenge.ranking.model_copy(update={"weights": {board: 1.0}})
    compared = compare_track(
        ranking,
        {board: dataset.challenge.boards[board]},
        [Entrant(team, {board: one}) for team, one in found],
    )
    report = found[0][1].model_dump(mode="json", exclude={"cases"})
    report["extras"].pop("probe")
    tests = {key: one.model_dump(mode="json") for key, one in compared.boards[board].tests.items()}
    return {"report": report, "tests": tests}


def rounded(value):
    """Eleven digits: libraries of linear algebra add up in orders of their own."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.11g}") if abs(value) > 1e-12 else 0.0
    return value


def same(found, kept):
    """Whether `found` says all that was kept; it may say more."""
    if isinstance(kept, dict):
        return all(key in found and same(found[key], kept[key]) for key in kept)
    if isinstance(kept, list):
        return len(found) == len(kept) and all(map(same, found, kept))
    if isinstance(kept, float):
        return found == pytest.approx(kept, rel=1e-9, abs=1e-11)
    return found == kept


@pytest.mark.parametrize("name", SETS)
def test_values_intervals_replicates_influence_and_tests_are_what_they_were(name, tmp_path):
    kept = json.loads(KEPT.read_text(encoding="utf-8"))[name]
    found = made(name, tmp_path)
    wrong = [
        key
        for key in kept["report"]["metrics"]
        if not same(found["report"]["metrics"].get(key), kept["report"]["metrics"][key])
    ]
    assert wrong == []
    assert same(found["report"], kept["report"])
    assert same(found["tests"], kept["tests"])


def test_every_built_in_metric_is_among_the_kept_ones():
    kept = {
        *BINARY,
        *CALLS,
        *CLASSES,
        *CLASS_CALLS,
        *NUMBERS,
        *AGREEMENT,
        *MAPS,
        *POINTS,
        *LANDMARKS,
        *SURVIVAL,
        "fairness",
    }
    assert kept == set(registry.names())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        current = {name: rounded(made(name, Path(folder))) for name in SETS}
    KEPT.write_text(json.dumps(current, separators=(",", ":")) + "\n", encoding="utf-8")
