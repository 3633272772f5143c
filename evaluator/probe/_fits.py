"""Probes with several seeds, and the convex reference, made once for all boards that need them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evaluator.probe._cache import Arrays, key_of, remembered
from evaluator.probe._reference import PENALTIES, ReferenceFit, fit_reference
from evaluator.probe._train import Array, Classes, ProbeResult, run_probe
from evaluator.spec import Probe


@dataclass(frozen=True, eq=False)
class Rows:
    """The embeddings of one split, as `run_probe` takes them.

    cache: directory in which several processes share results; without one they stay in this process.
    """

    train: tuple[Array, Classes]
    val: tuple[Array, Classes]
    test: Array
    classes: int
    cache: Path | None = None

    @cached_property
    def digest(self) -> str:
        """The content: rows, labels, number of classes and the evaluator that reads them."""
        return key_of((*self.train, *self.val, self.test), self.classes)


def probe_of(rows: Rows, probe: Probe) -> ProbeResult:
    """`run_probe`, once per content: the same rows, labels and recipe give the stored result."""
    recipe = (probe.seed, probe.epochs, probe.batch_size, probe.momentum, probe.learning_rates)

    def make() -> Arrays:
        return _probe_arrays(run_probe(rows.train, rows.val, rows.test, classes=rows.classes, probe=probe))

    return _probe_result(remembered(key_of((), rows.digest, "probe", recipe), make, rows.cache))


def reference_of(rows: Rows) -> ReferenceFit:
    """`fit_reference`, once per content."""

    def make() -> Arrays:
        return _reference_arrays(fit_reference(rows.train, rows.val, rows.test, classes=rows.classes))

    arrays = remembered(key_of((), rows.digest, "reference", PENALTIES), make, rows.cache)
    return ReferenceFit(arrays.get("scores"), _number(arrays["penalty"]), _number(arrays["validation"]))


def _probe_arrays(result: ProbeResult) -> Arrays:
    numbers = {
        "rate": _array(result.learning_rate),
        "validation": np.array([*map(_array, result.validation)]),
    }
    return numbers if result.scores is None else numbers | {"scores": result.scores}


def _probe_result(arrays: Arrays) -> ProbeResult:
    validation = tuple(_number(score) for score in arrays["validation"])
    return ProbeResult(arrays.get("scores"), _number(arrays["rate"]), validation)


def _reference_arrays(fit: ReferenceFit) -> Arrays:
    numbers: Arrays = {"penalty": _array(fit.penalty), "validation": _array(fit.validation)}
    return numbers if fit.scores is None else numbers | {"scores": fit.scores}


def _array(value: float | None) -> Array:
    return np.array(np.nan if value is None else value)


def _number(value: Array) -> float | None:
    return None if np.isnan(value) else float(value)
