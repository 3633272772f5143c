"""Boards of a linear probe on embeddings, and of its fairness between groups."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from evaluator.manifest import ManifestError, Reference
from evaluator.outputs import Value
from evaluator.probe import ProbeResult, Split, SplitError, split_cases
from evaluator.scoring._dataset import dataset_metric, score_dataset
from evaluator.scoring._fairness import fairness_reports, group_reports, joined_bounds, withheld
from evaluator.scoring._intervals import with_bounds
from evaluator.scoring._probe_runs import Bench, Embedding, Material, Tested, lacking
from evaluator.scoring._probe_seeds import Runs, over_seeds, scored_runs, seed_report, value_of
from evaluator.scoring._report import Extras, MetricReport, ProbeReport, Report
from evaluator.scoring._values import BoundMetric, Job, Sample, resample
from evaluator.spec import Probe

_SAMPLING = {
    "test_cases": "test-case sampling only",
    "test_cases_and_seeds": "test cases and training seeds",
    "test_cases_seeds_and_split": "test cases, training seeds and splits",
}
_TOO_FEW = (
    "These cases are too few for the probe: it needs two classes, and of each more cases than it is validated "
    "and tested on."
)
_UNTRAINED = "Every head of the probe diverged on these embeddings, or none has a validation score."


def score_probe(job: Job) -> Report:
    """The report of a board of embeddings; only the probe's test cases are scored and resampled.

    Nothing is scored, of nobody, where a class is too small for the split.

    Raises:
        ScoringError: a metric does not fit.
        evaluator.manifest.ManifestError: a case has no cohort.
    """
    probe = job.board.probe or Probe()
    vectors = [_vector(job.read(case)) for case in job.manifest.names]
    missing = sum(vector is None for vector in vectors)
    try:
        split = _split(job, probe, probe.seed)
    except SplitError:
        unscored = {key: MetricReport(value=None, reason=_TOO_FEW) for key in job.metrics}
        return _report(job, unscored, Extras(dataset=job.manifest.digest, missing=missing))
    sentence = _rejection(split, vectors)
    if sentence is not None:
        metrics = {key: MetricReport(value=None, reason=sentence) for key in job.metrics}
        extras = Extras(dataset=job.manifest.digest, missing=missing)
        return _report(job, metrics, extras, rejected=sentence)
    bench = Bench(_material(job, split, vectors), split)
    result, own = bench.train(probe, probe.seed)
    runs = _runs(job, probe, bench, own)
    fairness = fairness_reports(job, runs) if runs.scored else {}
    extras = Extras(
        dataset=job.manifest.digest,
        missing=missing,
        probe=_probe_report(job, probe, bench, result, runs),
        groups=group_reports(job, runs) if runs.scored and job.board.groups else None,
        fairness=fairness or None,
        sampling=_SAMPLING[job.board.bootstrap.sources],
    )
    metrics = {key: _metric(job, metric, runs) for key, metric in job.metrics.items()}
    return _report(job, withheld(job, metrics, fairness, runs), extras)


def _probe_report(job: Job, probe: Probe, bench: Bench, result: ProbeResult, runs: Runs) -> ProbeReport:
    penalty, convex = bench.reference()
    return ProbeReport(
        classes=bench.split.classes,
        width=bench.material.width,
        train=len(bench.split.train),
        val=len(bench.split.val),
        test=len(bench.split.test),
        learning_rate=result.learning_rate,
        learning_rates=probe.learning_rates,
        validation=result.validation,
        seed=probe.seed,
        seeds=probe.seeds,
        score=probe.score,
        by_seed={
            key: seed_report([value_of(metric, run) for run in runs.by_seed])
            for key, metric in job.metrics.items()
        },
        reference={key: value_of(metric, convex) for key, metric in job.metrics.items()},
        reference_penalty=penalty,
    )


def _runs(job: Job, probe: Probe, bench: Bench, own: Tested) -> Runs:
    sample = resample(job, own.cases, own.class_names)
    by_seed = [bench.train(probe, seed)[1] for seed in probe.seeds]
    drawn: list[tuple[Tested, Sample] | None] = []
    if job.board.bootstrap.sources == "test_cases_and_seeds":
        drawn = [(run, sample) for run in by_seed]
    elif job.board.bootstrap.sources == "test_cases_seeds_and_split":
        drawn = [_elsewhere(job, bench.material, probe, seed) for seed in probe.seeds]
    return Runs(scored_runs(probe, own, by_seed), sample, by_seed, drawn, probe.score == "mean")


def _elsewhere(job: Job, material: Material, probe: Probe, seed: int) -> tuple[Tested, Sample] | None:
    """The probe of a seed on the split of that seed."""
    split = _split(job, probe, seed)
    if lacking(split, material.embeddings):
        return None
    tested = Bench(material, split).train(probe, seed)[1]
    return tested, resample(job, tested.cases, tested.class_names, salt=f" split {seed}")


def _metric(job: Job, metric: BoundMetric, runs: Runs) -> MetricReport:
    if not runs.scored:
        return MetricReport(value=None, reason=_UNTRAINED)
    if runs.mean or runs.drawn:
        report = over_seeds(job.manifest.digest, metric, runs)
    else:
        report = score_dataset(metric, runs.scored[0].data(metric), runs.sample)
    if report.value is None or dataset_metric(metric.name, metric).compares is None:
        return report
    moved = runs.moved(lambda tested: value_of(metric, tested))
    bounds = joined_bounds(metric, runs.scored, runs.sample, moved)
    return with_bounds(report, bounds, dataset_metric(metric.name, metric).interval_note)


def _report(
    job: Job, metrics: dict[str, MetricReport], extras: Extras, rejected: str | None = None
) -> Report:
    cases = job.manifest.names
    return Report(board=job.name, cases=cases, per_case={}, metrics=metrics, rejected=rejected, extras=extras)


def _vector(output: Value | None) -> Embedding | None:
    return output if isinstance(output, np.ndarray) else None


def _split(job: Job, probe: Probe, seed: int) -> Split:
    references = job.references.rows.values()
    return split_cases(
        [cohort_of(row) for row in references],
        [row.age for row in references],
        probe.model_copy(update={"seed": seed}),
    )


def cohort_of(reference: Reference) -> str:
    """The class of a case: its cohort, or its label where a dataset has no column of that name.

    Raises:
        evaluator.manifest.ManifestError: it has neither.
    """
    cohort = reference.cohort or reference.label
    if cohort is None:
        raise ManifestError(f"references.csv:{reference.line or 1}: the case has no cohort")
    return cohort


def _rejection(split: Split, embeddings: Sequence[Embedding | None]) -> str | None:
    """Why the run as a whole cannot be scored, in a sentence for the participant."""
    absent = lacking(split, embeddings)
    if absent:
        return (
            f"{absent} of the {len(split.train + split.val)} embeddings that the probe is trained and validated "
            "on are missing; the probe needs all of them."
        )
    widths = Counter(len(vector) for vector in embeddings if vector is not None)
    if len(widths) > 1:
        listed = ", ".join(f"{width} ({count} cases)" for width, count in sorted(widths.items()))
        return f"The embeddings of a run must all have the same width, but these have {listed}."
    return None


def _material(job: Job, split: Split, embeddings: Sequence[Embedding | None]) -> Material:
    references = list(job.references.rows.values())
    numbers = {name: number for number, name in enumerate(split.classes)}
    return Material(
        cases=job.manifest.names,
        labels=np.array([numbers[cohort_of(row)] for row in references]),
        embeddings=embeddings,
        references=references,
        classes=split.classes,
        groups=job.board.groups,
        cache=job.cache,
    )
