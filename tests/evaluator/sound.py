"""Sound random datasets of every kind of output, and the perfect answers to them."""

import random
from pathlib import Path

import numpy as np

from evaluator import outputs
from evaluator.manifest import load_references, read_reference_map
from evaluator.spec import merge, parse_challenge
from tests.evaluator.datasets import fomo26
from tests.evaluator.whole_datasets import Whole, mask

KINDS = ("task1", "task3", "task2", "task4", "task6")
"""A task of each kind: two classes, a number, one label, two labels, embeddings."""

NAMES = ("low", "mid", "high")

PROBE = {"n_train": 3, "n_val": 1, "n_test": 4, "epochs": 5, "seeds": [42], "learning_rates": [0.01, 0.1]}
COHORTS = "abc"


def sound(root: Path, task: str, chance: random.Random) -> Whole:
    """A dataset without a fault of a task, or of `scores` per class; boards take small splits and few resamples."""
    boards = {f"task{number}": {"bootstrap": {"resamples": 20}} for number in range(1, 8)}
    boards["task6"]["probe"] = boards["task7"]["probe"] = PROBE
    content = merge(fomo26().model_dump(mode="json"), {"boards": boards})
    if task == "scores":
        content["tasks"]["task5"]["output"] = {"kind": "scores", "classes": list(NAMES)}
        content["boards"]["task5"]["metrics"] = {
            "auroc": {"metric": "ovr_auroc"},
            "brier": {"metric": "ovr_brier"},
        }
    whole = Whole(root, parse_challenge(content), "task5" if task == "scores" else task)
    for number in range(24 if task == "task6" else chance.randrange(3, 6)):
        row: dict[str, object] = {
            "subject": f"s{number // chance.choice((1, 1, 2))}",
            "sex": chance.choice("FM"),
        }
        row["age"], row["site"] = chance.choice(["", *range(20, 90)]), chance.choice("AB")
        if task == "task1":
            row["label"] = number % 2
        elif task == "scores":
            row["label"] = NAMES[number % 3]
        elif task == "task3":
            row["label"] = round(chance.uniform(20, 90), 2)
        elif task == "task6":
            row["cohort"] = COHORTS[number % 3]
        else:
            row["labels"] = mask(whole.task.output.labels, number)
        whole.add(f"c{number:02}", **row)
    return whole


def perfect(whole: Whole, case: str) -> outputs.Value:
    """What the references say of a case, as an output."""
    if whole.task.output.kind == "segmentation":
        found = read_reference_map(whole.task.output, whole.reference_path(case))
        return outputs.LabelMap(found.labels, found.affine)
    references = load_references(whole.references, whole.manifest)
    if whole.task.output.kind == "number":
        return references.label(case, whole.task.output)
    if whole.task.output.kind == "scores":
        return tuple(float(one == references.rows[case].label) for one in NAMES)
    cohorts = sorted({str(row.cohort or row.label) for row in references.rows.values()})
    own = references.rows[case]
    return (np.eye(len(cohorts))[cohorts.index(str(own.cohort or own.label))] * 10).astype(np.float32)
