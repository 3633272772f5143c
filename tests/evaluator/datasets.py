"""Small datasets on disk in the published formats, for the tests of scoring and its command."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np

from evaluator import outputs
from evaluator.manifest import Manifest, load_manifest
from evaluator.spec import Challenge, load_challenge, merge, parse_challenge

CHALLENGES = Path(__file__).parents[2] / "challenges"
SMALL_PROBE = {"n_train": 6, "n_val": 2, "n_test": 8}
ONE_SEED = {"probe": {"score": "seed"}, "bootstrap": {"sources": "test_cases"}}
RANKED = {"metrics": {key: {"uninformative": "ranked"} for key in ("fairness_auroc", "fairness_f1")}}
"""The organizers' recipe of boards with a probe, and of fairness, which the shipped challenge deviates from."""


def fomo26(**boards) -> Challenge:
    """The shipped challenge with a probe split that fits 16 cases per class, and changes to single boards."""
    content = load_challenge(CHALLENGES / "fomo26" / "challenge.yaml").model_dump(mode="json")
    small = {"boards": {name: {"probe": SMALL_PROBE} for name in ("task6", "task7")}}
    return parse_challenge(merge(merge(content, small), {"boards": boards}))


class Dataset:
    """Inputs manifest, references and canonical predictions under one directory."""

    def __init__(self, root: Path, challenge: Challenge, task: str) -> None:
        self.root, self.challenge, self.task = root, challenge, challenge.tasks[task]
        self.references, self.predictions = root / "references", root / "predictions"
        self.references.mkdir(parents=True)
        self.predictions.mkdir()
        self.rows: list[dict[str, object]] = []

    def reference(self, case: str, **row) -> None:
        self.rows.append({"case": case} | row)

    def reference_map(self, case: str, labels, spacing=(1, 1, 1)) -> None:
        image = nibabel.Nifti1Image(np.asarray(labels, np.uint8), np.diag([*spacing, 1]))
        nibabel.save(image, self.references / f"{case}.nii.gz")
        self.reference(case)

    def reference_file(self, case: str, content, **row) -> None:
        (self.references / f"{case}.json").write_text(json.dumps(content))
        self.reference(case, **row)

    def predict(self, case: str, value) -> None:
        if self.task.output.kind == "segmentation":
            value = outputs.LabelMap(np.asarray(value, np.uint8), np.eye(4))
        elif self.task.output.kind == "embedding":
            value = np.asarray(value, np.float32)
        (self.predictions / f"{case}{self.task.output.suffix}").write_bytes(outputs.encode(self.task, value))

    def save_for_command(self) -> Manifest:
        """With the inputs that the task is called with, without which `score` takes no manifest."""
        called_with = self.task.inputs_of({scan.key for scan in self.task.all_inputs})
        return self.save(*(scan.key for scan in called_with))

    def save(self, *inputs: str) -> Manifest:
        """With one input unless others are named: draws, and so the kept values, depend on them."""
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        with (self.references / "references.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        files = {key: {"path": f"{key}.nii.gz", "sha256": "0" * 64} for key in inputs or ("t1w",)}
        cases = [{"case": row["case"], "files": files} for row in self.rows]
        self.manifest.write_text(json.dumps({"dataset": "test", "cases": cases}))
        return load_manifest(self.manifest)

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"


def numbers(root: Path, task: str, labels, predictions, sites="AB") -> Dataset:
    """Cases c0, c1, …; a prediction of None is missing."""
    found = Dataset(root, fomo26(), task)
    for number, (label, prediction) in enumerate(zip(labels, predictions, strict=True)):
        found.reference(f"c{number}", label=label, site=sites[number // 2 % len(sites)])
        if prediction is not None:
            found.predict(f"c{number}", float(prediction))
    return found


def embeddings(root: Path, *, distance=2.0, width=10, per_class=16, seed=3) -> Dataset:
    """Three cohorts whose embeddings lie `distance` apart, with sex and age."""
    found = Dataset(root, fomo26(), "task6")
    stream = np.random.default_rng(seed)
    centres = stream.normal(0, distance, (3, width))
    for number in range(3 * per_class):
        cohort = number % 3
        sex = ["F", "m", ""][number % 7 % 3]
        age = 20 + number * 13 % 70
        found.reference(f"sub-{number}", cohort=["ad", "cn", "ms"][cohort], sex=sex, age=age, site="A")
        found.predict(f"sub-{number}", centres[cohort] + stream.normal(0, 1, width))
    return found
