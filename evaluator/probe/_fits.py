"""Probes with several seeds, and the convex reference, made once for all boards that need them."""

from pathlib import Path

import numpy as np

from evaluator.probe._cache import Arrays, key_of, remembered
from evaluator.probe._reference import PENALTIES, ReferenceFit, fit_reference
from evaluator.probe._train import Array, Classes, ProbeResult, run_probe
from evaluator.spec import Probe


def probe_of(
    train: tuple[Array, Classes],
    val: tuple[Array, Classes],
    test: Array,
    *,
    classes: int,
    probe: Probe,
    cache: Path | None = None,
) -> ProbeResult:
    """`run_probe`, once per content: the same rows, labels, classes and recipe give the stored result.

    Results stay in this process, and in the directory `cache`, which several processes may share.
    """
    recipe = (probe.seed, probe.epochs, probe.batch_size, probe.momentum, probe.learning_rates)
    key = key_of((*train, *val, test), "probe", classes, recipe)

    def make() -> Arrays:
        return _probe_arrays(run_probe(train, val, test, classes=classes, probe=probe))

    return _probe_result(remembered(key, make, cache))


def reference_of(
    train: tuple[Array, Classes],
    val: tuple[Array, Classes],
    test: Array,
    *,
    classes: int,
    cache: Path | None = None,
) -> ReferenceFit:
    """`fit_reference`, once per content."""
    key = key_of((*train, *val, test), "reference", classes, PENALTIES)

    def make() -> Arrays:
        return _reference_arrays(fit_reference(train, val, test, classes=classes))

    found = remembered(key, make, cache)
    return ReferenceFit(found.get("scores"), _number(found["penalty"]), _number(found["validation"]))


def _probe_arrays(result: ProbeResult) -> Arrays:
    numbers = {
        "rate": _array(result.learning_rate),
        "validation": np.array([*map(_array, result.validation)]),
    }
    return numbers if result.scores is None else numbers | {"scores": result.scores}


def _probe_result(found: Arrays) -> ProbeResult:
    validation = tuple(_number(one) for one in found["validation"])
    return ProbeResult(found.get("scores"), _number(found["rate"]), validation)


def _reference_arrays(fit: ReferenceFit) -> Arrays:
    numbers: Arrays = {"penalty": _array(fit.penalty), "validation": _array(fit.validation)}
    return numbers if fit.scores is None else numbers | {"scores": fit.scores}


def _array(value: float | None) -> Array:
    return np.array(np.nan if value is None else value)


def _number(value: Array) -> float | None:
    return None if np.isnan(value) else float(value)
