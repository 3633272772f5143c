"""Boards of a linear probe on embeddings, and of its fairness between groups."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.manifest import ManifestError, Reference
from evaluator.metrics import DatasetData, NotScored
from evaluator.metrics.fairness import groups_of
from evaluator.metrics.registry import DatasetMetric, lookup
from evaluator.outputs import Value
from evaluator.probe import ProbeResult, Split, SplitError, run_probe, split_cases
from evaluator.scoring._dataset import dataset_metric, score_dataset
from evaluator.scoring._report import Extras, GroupReport, MetricReport, ProbeReport, Report
from evaluator.scoring._values import BoundMetric, Job, ScoringError, resample
from evaluator.spec import GroupVariable, Probe

Embedding = npt.NDArray[np.float32]
Groups = dict[str, list[str | None]]


@dataclass(frozen=True)
class _Tested:
    """The test cases of a trained probe: class numbers, and a row of scores where there was an embedding."""

    cases: tuple[str, ...]
    labels: npt.NDArray[np.intp]
    rows: list[npt.NDArray[np.float64] | None]
    classes: tuple[str, ...]
    groups: Groups

    def data(self, metric: BoundMetric) -> DatasetData:
        """The scores with the replacement that `metric` declares for a missing embedding."""
        plugin = dataset_metric(metric.name, metric)
        rows = [
            plugin.replace(label, len(self.classes), metric.parameters) if row is None else row
            for label, row in zip(self.labels, self.rows, strict=True)
        ]
        return DatasetData(self.labels, np.array(rows), self.groups)


def score_probe(job: Job) -> Report:
    """The report of a board of embeddings; only the probe's test cases are scored and resampled.

    Raises:
        ScoringError: a class is too small for the split, or a metric does not fit.
        evaluator.manifest.ManifestError: a case has no cohort.
    """
    probe = job.board.probe or Probe()
    split = _split(job, probe)
    found = [_vector(job.read(case)) for case in job.manifest.names]
    missing = sum(one is None for one in found)
    sentence = _rejection(split, found)
    if sentence is not None:
        metrics = {key: MetricReport(value=None, reason=sentence) for key in job.metrics}
        extras = Extras(dataset=job.manifest.digest, missing=missing)
        return _report(job, metrics, extras, rejected=sentence)
    result, tested = _train(job, split, found, probe)
    extras = Extras(
        dataset=job.manifest.digest,
        missing=missing,
        probe=_probe_report(split, found, result, probe),
        groups=_group_reports(job, tested) if result.scores is not None and job.board.groups else None,
    )
    return _report(job, _metrics(job, tested, trained=result.scores is not None), extras)


def _report(
    job: Job, metrics: dict[str, MetricReport], extras: Extras, rejected: str | None = None
) -> Report:
    cases = job.manifest.names
    return Report(board=job.name, cases=cases, per_case={}, metrics=metrics, rejected=rejected, extras=extras)


def _vector(output: Value | None) -> Embedding | None:
    return output if isinstance(output, np.ndarray) else None


def _split(job: Job, probe: Probe) -> Split:
    references = job.references.rows.values()
    try:
        return split_cases([_cohort(row) for row in references], [row.age for row in references], probe)
    except SplitError as error:
        raise ScoringError(f"board {job.name}: {error}") from None


def _cohort(reference: Reference) -> str:
    """The class of a case: its cohort, or its label where a dataset has no column of that name."""
    found = reference.cohort or reference.label
    if found is None:
        raise ManifestError(f"references.csv:{reference.line or 1}: the case has no cohort")
    return found


def _rejection(split: Split, embeddings: Sequence[Embedding | None]) -> str | None:
    """Why the run as a whole cannot be scored, in a sentence for the participant."""
    needed = split.train + split.val
    lacking = sum(embeddings[case] is None for case in needed)
    if lacking:
        return (
            f"{lacking} of the {len(needed)} embeddings that the probe is trained and validated on "
            "are missing; the probe needs all of them."
        )
    widths = Counter(len(one) for one in embeddings if one is not None)
    if len(widths) > 1:
        listed = ", ".join(f"{width} ({count} cases)" for width, count in sorted(widths.items()))
        return f"The embeddings of a run must all have the same width, but these have {listed}."
    return None


def _train(
    job: Job, split: Split, embeddings: Sequence[Embedding | None], probe: Probe
) -> tuple[ProbeResult, _Tested]:
    references = list(job.references.rows.values())
    numbers = {name: number for number, name in enumerate(split.classes)}
    labels = np.array([numbers[_cohort(row)] for row in references])
    present = [case for case in split.test if embeddings[case] is not None]
    result = run_probe(
        (_rows(embeddings, split.train), labels[list(split.train)]),
        (_rows(embeddings, split.val), labels[list(split.val)]),
        _rows(embeddings, present).reshape(len(present), -1 if present else _width(embeddings)),
        classes=len(split.classes),
        probe=probe,
    )
    scores = {} if result.scores is None else dict(zip(present, result.scores, strict=True))
    tested = _Tested(
        cases=tuple(job.manifest.names[case] for case in split.test),
        labels=labels[list(split.test)],
        rows=[scores.get(case) for case in split.test],
        classes=split.classes,
        groups=_groups(job.board.groups, [references[case] for case in split.test]),
    )
    return result, tested


def _rows(embeddings: Sequence[Embedding | None], cases: Sequence[int]) -> npt.NDArray[np.float64]:
    return np.array([embeddings[case] for case in cases], dtype=np.float64)


def _width(embeddings: Sequence[Embedding | None]) -> int:
    return next(len(one) for one in embeddings if one is not None)


def _groups(variables: Sequence[GroupVariable], references: Sequence[Reference]) -> Groups:
    return {
        one.variable: groups_of(one, [getattr(reference, one.variable) for reference in references])
        for one in variables
    }


def _metrics(job: Job, tested: _Tested, *, trained: bool) -> dict[str, MetricReport]:
    if not trained:
        reason = "Every head of the probe diverged on these embeddings, or none has a validation score."
        return {key: MetricReport(value=None, reason=reason) for key in job.metrics}
    sample = resample(job, tested.cases, [tested.classes[label] for label in tested.labels])
    return {key: score_dataset(metric, tested.data(metric), sample) for key, metric in job.metrics.items()}


def _probe_report(
    split: Split, embeddings: Sequence[Embedding | None], result: ProbeResult, probe: Probe
) -> ProbeReport:
    return ProbeReport(
        classes=split.classes,
        width=_width(embeddings),
        train=len(split.train),
        val=len(split.val),
        test=len(split.test),
        learning_rate=result.learning_rate,
        learning_rates=probe.learning_rates,
        validation=result.validation,
    )


def _group_reports(job: Job, tested: _Tested) -> dict[str, dict[str, GroupReport]]:
    return {
        variable: {
            group: _group_report(job, tested, np.array([one == group for one in groups]))
            for group in sorted({one for one in groups if one is not None})
        }
        for variable, groups in tested.groups.items()
    }


def _group_report(job: Job, tested: _Tested, members: npt.NDArray[np.bool_]) -> GroupReport:
    values: dict[str, float | None] = {}
    for key, metric in job.metrics.items():
        compared, parameters = dataset_metric(key, metric), metric.parameters
        if metric.name == "fairness":
            inner = lookup(parameters.of)
            if isinstance(inner, DatasetMetric):
                compared, parameters = inner, inner.parse({})
        data = tested.data(metric)
        try:
            values[key] = compared.score(DatasetData(data.labels[members], data.scores[members]), parameters)
        except NotScored:
            values[key] = None
    return GroupReport(size=int(members.sum()), values=values)
