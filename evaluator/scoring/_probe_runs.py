"""Probes trained on the embeddings of one run: with any seed, on any split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluator.manifest import Reference
from evaluator.metrics import DatasetData
from evaluator.metrics.fairness import groups_of
from evaluator.probe import ProbeResult, Split, probe_of, reference_of
from evaluator.scoring._dataset import dataset_metric
from evaluator.scoring._values import BoundMetric
from evaluator.spec import GroupVariable, Probe

Embedding = npt.NDArray[np.float32]
Groups = dict[str, list[str | None]]
_Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """What probes are trained on. Per case of the manifest: class number, embedding if there is one, reference."""

    cases: tuple[str, ...]
    labels: npt.NDArray[np.intp]
    embeddings: Sequence[Embedding | None]
    references: Sequence[Reference]
    classes: tuple[str, ...]
    groups: Sequence[GroupVariable]
    cache: Path | None

    @property
    def width(self) -> int:
        """The width of the first embedding."""
        return next(len(one) for one in self.embeddings if one is not None)


@dataclass(frozen=True)
class Tested:
    """The test cases of a trained probe: class numbers, and a row of scores where there was an embedding.

    trained: False where no head has a validation score; then every row is missing.
    """

    cases: tuple[str, ...]
    labels: npt.NDArray[np.intp]
    rows: list[_Rows | None]
    classes: tuple[str, ...]
    groups: Groups
    trained: bool

    def data(self, metric: BoundMetric) -> DatasetData:
        """The scores with the replacement that `metric` declares for a missing embedding."""
        plugin = dataset_metric(metric.name, metric)
        rows = [
            plugin.replace(label, len(self.classes), metric.parameters) if row is None else row
            for label, row in zip(self.labels, self.rows, strict=True)
        ]
        return DatasetData(self.labels, np.array(rows), self.groups)

    @property
    def class_names(self) -> list[str]:
        """The class of each test case."""
        return [self.classes[label] for label in self.labels]


def lacking(split: Split, embeddings: Sequence[Embedding | None]) -> int:
    """How many of the embeddings that the probe is trained and validated on are missing."""
    return sum(embeddings[case] is None for case in split.train + split.val)


def train(material: Material, split: Split, probe: Probe, seed: int) -> tuple[ProbeResult, Tested]:
    """The probe of one seed on one split, whose training and validation embeddings must all be there."""
    parts = _parts(material, split)
    recipe = probe.model_copy(update={"seed": seed})
    result = probe_of(*parts, classes=len(material.classes), probe=recipe, cache=material.cache)
    return result, _tested(material, split, result.scores)


def reference(material: Material, split: Split) -> tuple[float | None, Tested]:
    """The convex reference fit on the same split, and its penalty."""
    fit = reference_of(*_parts(material, split), classes=len(material.classes), cache=material.cache)
    return fit.penalty, _tested(material, split, fit.scores)


def _parts(
    material: Material, split: Split
) -> tuple[tuple[_Rows, npt.NDArray[np.intp]], tuple[_Rows, npt.NDArray[np.intp]], _Rows]:
    present = [case for case in split.test if material.embeddings[case] is not None]
    return (
        (_rows(material, split.train), material.labels[list(split.train)]),
        (_rows(material, split.val), material.labels[list(split.val)]),
        _rows(material, present),
    )


def _rows(material: Material, cases: Sequence[int]) -> _Rows:
    chosen = [material.embeddings[case] for case in cases]
    return np.array(chosen, dtype=np.float64).reshape(len(chosen), material.width)


def _tested(material: Material, split: Split, scores: _Rows | None) -> Tested:
    present = [case for case in split.test if material.embeddings[case] is not None]
    by_case = {} if scores is None else dict(zip(present, scores, strict=True))
    references = [material.references[case] for case in split.test]
    return Tested(
        cases=tuple(material.cases[case] for case in split.test),
        labels=material.labels[list(split.test)],
        rows=[by_case.get(case) for case in split.test],
        classes=material.classes,
        groups={
            one.variable: groups_of(one, [getattr(found, one.variable) for found in references])
            for one in material.groups
        },
        trained=scores is not None,
    )
