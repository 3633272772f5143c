"""Reports of made-up teams, as scoring writes them, for the tests of comparison and ranking."""

import numpy as np

from evaluator.metrics import influence
from evaluator.metrics.classification import auroc
from evaluator.resampling import draw_counts
from evaluator.scoring import Extras, MetricReport, Report

CASES = 14  # so few that every sign pattern of the permutation test is tried, and quickly
RESAMPLES = 200


def counts(dataset, strata=(0,) * CASES):
    return draw_counts(range(CASES), strata, resamples=RESAMPLES, digest=dataset)


def segmentation(board, dsc, nsd, *, dataset="sha256:seg"):
    """A report of two per-case metrics; a case may be NaN."""
    cases = {"dsc": np.asarray(dsc, dtype=float), "nsd": np.asarray(nsd, dtype=float)}
    return Report(
        board=board,
        cases=tuple(f"sub-{number}" for number in range(CASES)),
        per_case={key: tuple(None if np.isnan(v) else v for v in row.tolist()) for key, row in cases.items()},
        metrics={key: _mean(row, counts(dataset)) for key, row in cases.items()},
        extras=Extras(dataset=dataset),
    )


def _mean(row, drawn):
    known = np.isfinite(row)
    replicates = drawn[:, known] @ row[known] / drawn[:, known].sum(axis=1)
    return MetricReport(
        value=float(row[known].mean()),
        replicates=tuple(replicates.tolist()),
        influence=tuple(influence.of_mean(row).tolist()),
    )


def classification(board, labels, scores, *, dataset="sha256:clf"):
    """A report of AUROC."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    replicates = []
    for row in counts(dataset, labels.tolist()):
        chosen = np.repeat(np.arange(CASES), row.astype(int))
        replicates.append(auroc(labels[chosen], scores[chosen]))
    metric = MetricReport(
        value=auroc(labels, scores),
        replicates=tuple(replicates),
        influence=tuple(influence.of_auroc(labels, scores).tolist()),
    )
    cases = tuple(f"sub-{number}" for number in range(CASES))
    return Report(
        board=board, cases=cases, per_case={}, metrics={"auroc": metric}, extras=Extras(dataset=dataset)
    )


def season(teams=4, seed=11):
    """Teams of falling quality on FOMO26's boards task1 and task2: {team: {board: report}}."""
    rng = np.random.default_rng(seed)
    labels = np.arange(CASES) % 2
    hard = rng.uniform(0, 0.3, CASES)
    found = {}
    for number in range(teams):
        level = 0.8 - 0.12 * number - hard
        found[f"team{number}"] = {
            "task1": classification("task1", labels, rng.normal((2 - 0.6 * number) * labels, 1, CASES)),
            "task2": segmentation(
                "task2",
                np.clip(rng.normal(level, 0.05), 0, 1),
                np.clip(rng.normal(level - 0.1, 0.05), 0, 1),
            ),
        }
    return found


def write(directory, track="open", **teams):
    """Writes {team: {board: report}} as TEAM/TRACK/BOARD.json."""
    for team, reports in teams.items():
        folder = directory / team / track
        folder.mkdir(parents=True, exist_ok=True)
        for board, report in reports.items():
            (folder / f"{board}.json").write_text(report.model_dump_json())
