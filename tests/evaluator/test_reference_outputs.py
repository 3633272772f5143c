"""Outputs that the platform makes itself: what is to be refused is refused, and values are what is expected of them."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluator.dataset_check import light
from evaluator.manifest import Manifest
from evaluator.outputs import check_and_encode, decode
from evaluator.reference_outputs import (
    PERFECT,
    Judgement,
    ReferenceVariant,
    Truth,
    TruthUnreadable,
    judge_refused,
    judge_scored,
    truth_of_task,
    variants,
)
from evaluator.scoring import Report, score_outputs
from evaluator.spec import Challenge
from evaluator.verdicts import Check
from tests.evaluator.sound import KINDS, sound
from tests.evaluator.test_kinds import dataset

EXAMPLES = {"landmarks": ("detection", 3), "lesions": ("detection", 4), "outcome": ("survival", 9)}
REFUSED_BY = {
    "wrong shape": {"shape", "one_value", "one_per_class", "vector", "fields"},
    "wrong type": {"decimal_float", "gzip", "header", "floating_dtype", "fields", "json"},
    "out of range": {"range", "labels"},
    "not finite": {"finite", "integer_values"},
    "too large": {"too_large", "shape", "count"},
    "unknown column": {"fields"},
    "empty file": set(Check),
    "random bytes": set(Check),
}


def truth_of(task: str, root: Path) -> tuple[Truth, Path]:
    """A small dataset of a task, and what its inputs' paths are relative to."""
    if task in EXAMPLES:
        challenge, cases = EXAMPLES[task]
        words = (task, cases) if challenge == "detection" else (cases,)
        spec, manifest = dataset(challenge, root, *words)
        return of(spec, task, manifest, root), root
    whole = sound(root / "whole", task, random.Random(3))  # noqa: S311
    return of(whole.spec, whole.name, whole.save(), whole.references), whole.root


def of(spec: Challenge, task: str, manifest: Manifest, references: Path) -> Truth:
    return truth_of_task(light(spec, *spec.boards_of(task)), task, manifest, references)


def answers(truth: Truth, variant: ReferenceVariant, root: Path) -> tuple[dict[str, Any], set[str]]:
    """Canonical outputs by case, and the checks that refused the others."""
    found, checks = {}, set()
    for case in truth.manifest.cases:
        raw = variant.raw(case.case)
        if raw is None:
            continue
        path = root / f"raw{truth.task.output.suffix}"
        path.write_bytes(raw)
        inputs = {key: root / file.path for key, file in case.files.items()}
        result, canonical = check_and_encode(truth.task, path, inputs)
        if canonical is None:
            checks.add(str(result.check))
        else:
            found[case.case] = decode(truth.task, canonical)
    return found, checks


def judged(truth: Truth, root: Path) -> Iterator[Judgement]:
    perfect: dict[str, Report] = {}
    for variant in variants(truth):
        found, checks = answers(truth, variant, root)
        if not found:
            yield judge_refused(variant, " ".join(checks) or "output_missing")
            continue
        boards = truth.spec.boards_of(truth.name)
        references = truth.references.directory
        reports = {
            board: score_outputs(truth.spec, board, truth.manifest, references, found.get) for board in boards
        }
        rejected = any(report.rejected for report in reports.values())
        yield judge_refused(variant, "run_invalid" if rejected else None)
        perfect = perfect or reports
        for board, report in reports.items() if not rejected else ():
            yield from judge_scored(truth, variant, report, perfect.get(board))


@pytest.mark.parametrize("task", [*KINDS, "scores", *EXAMPLES])
def test_every_variant_of_every_kind_comes_out_as_expected(task: str, tmp_path: Path) -> None:
    truth, root = truth_of(task, tmp_path)
    found = list(judged(truth, root))
    odd = [one for one in found if not one.as_expected]
    # Of four test cases per class nobody can be better than chance for certain, and so not be called fair.
    assert [one.metric for one in odd] == (["fairness_auroc"] if task == "task6" else [])
    assert all("better than chance" in one.found for one in odd)
    values = {(one.variant, one.metric): one for one in found if one.metric}
    assert {PERFECT, "constant", "random"} <= {variant for variant, _ in values}
    exact = [one for one in values.values() if one.expected[0].isdigit()]
    assert exact, "values that are known beforehand"


@pytest.mark.parametrize("task", [*KINDS, "scores", *EXAMPLES])
def test_what_no_check_may_let_through_is_refused_for_what_is_wrong_with_it(
    task: str, tmp_path: Path
) -> None:
    truth, root = truth_of(task, tmp_path)
    names = set()
    for variant in variants(truth):
        found, checks = answers(truth, variant, root)
        if variant.refused and variant.name in REFUSED_BY:
            names.add(variant.name)
            assert found == {}
            assert checks <= REFUSED_BY[variant.name], variant.name
    assert {"wrong shape", "wrong type", "not finite", "empty file"} <= names


def test_a_metric_that_does_not_do_what_it_should_is_noticed(tmp_path: Path) -> None:
    truth, _ = truth_of("task1", tmp_path)
    perfect, *_ = variants(truth)
    assert perfect.value is not None
    worst = {case: 1 - perfect.value(case) for case in truth.manifest.names}
    report = score_outputs(truth.spec, "task1", truth.manifest, truth.references.directory, worst.__getitem__)
    (found,) = judge_scored(truth, perfect, report, None)
    assert (found.expected, found.found, found.as_expected) == ("1", "0", False)


def test_labels_that_cannot_be_read_are_said_without_a_case(tmp_path: Path) -> None:
    whole = sound(tmp_path / "whole", "task1", random.Random(3))  # noqa: S311
    whole.rows[1]["label"] = "perhaps"
    with pytest.raises(TruthUnreadable) as problem:
        of(whole.spec, whole.name, whole.save(), whole.references)
    assert "1 labels cannot be read" in str(problem.value)
    assert "c01" not in str(problem.value)
