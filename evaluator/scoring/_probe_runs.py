"""Probes trained on the embeddings of one run: with any seed, on any split."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluator.manifest import Reference
from evaluator.metrics import DatasetData
from evaluator.probe import ProbeResult, Rows, Split, probe_of, reference_of
from evaluator.scoring._dataset import dataset_metric
from evaluator.scoring._groups import groups_of
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
        return next(len(vector) for vector in self.embeddings if vector is not None)


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


@dataclass(frozen=True, eq=False)
class Bench:
    """One split of the material, ready for any number of probes. All its training and validation rows must be there."""

    material: Material
    split: Split

    @cached_property
    def rows(self) -> Rows:
        """What the probes see; of the test cases those that have an embedding."""
        labels, split = self.material.labels, self.split
        return Rows(
            train=(_rows(self.material, split.train), labels[list(split.train)]),
            val=(_rows(self.material, split.val), labels[list(split.val)]),
            test=_rows(self.material, self._present),
            classes=len(self.material.classes),
            cache=self.material.cache,
        )

    def train(self, probe: Probe, seed: int) -> tuple[ProbeResult, Tested]:
        """The probe with one seed."""
        result = probe_of(self.rows, probe.model_copy(update={"seed": seed}))
        return result, self._tested(result.scores)

    def reference(self) -> tuple[float | None, Tested]:
        """The convex reference fit and its penalty."""
        fit = reference_of(self.rows)
        return fit.penalty, self._tested(fit.scores)

    @property
    def _present(self) -> list[int]:
        return [case for case in self.split.test if self.material.embeddings[case] is not None]

    def _tested(self, scores: _Rows | None) -> Tested:
        material, test = self.material, self.split.test
        by_case = {} if scores is None else dict(zip(self._present, scores, strict=True))
        return Tested(
            cases=tuple(material.cases[case] for case in test),
            labels=material.labels[list(test)],
            rows=[by_case.get(case) for case in test],
            classes=material.classes,
            groups=self._groups,
            trained=scores is not None,
        )

    @cached_property
    def _groups(self) -> Groups:
        references = [self.material.references[case] for case in self.split.test]
        return {
            variable.variable: groups_of(
                variable, [getattr(reference, variable.variable) for reference in references]
            )
            for variable in self.material.groups
        }


def _rows(material: Material, cases: Sequence[int]) -> _Rows:
    chosen = [material.embeddings[case] for case in cases]
    return np.array(chosen, dtype=np.float64).reshape(len(chosen), material.width)
