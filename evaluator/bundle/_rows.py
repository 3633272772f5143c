"""The rows of a bundle's large tables, one after the other."""

import csv
from collections.abc import Iterator, Sequence

from evaluator.bundle._manifest import Bundle
from evaluator.scoring import Report

RUNS = "runs.csv"
"""How each case of what counts ran, in `RUN_COLUMNS`."""
RUN_COLUMNS = ("evaluation", "case", "verdict", "seconds", "peak_memory_bytes")
CASES = ("team", "track", "board", "metric", "case", "value", "verdict", "seconds", "peak_memory_bytes")
"""The columns of cases.csv."""


def case_rows(bundle: Bundle) -> Iterator[tuple[object, ...]]:
    """A row per team, board, metric and case of what counts: its value, where the metric has one, and how it ran."""
    runs: dict[tuple[str, str], Sequence[str]] = {}
    with (bundle.folder / RUNS).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            runs[row["evaluation"], row["case"]] = (row["verdict"], row["seconds"], row["peak_memory_bytes"])
    teams = bundle.manifest.teams_by_id
    for entry in bundle.manifest.entries:
        report = bundle.report(entry)
        for metric in report.metrics:
            values = report.per_case.get(metric) or (None,) * len(report.cases)
            for case, value in zip(report.cases, values, strict=True):
                ran = runs.get((entry.evaluation, case), ("", "", ""))
                yield (teams[entry.team].name, entry.track, entry.board, metric, case, value, *ran)


def drawn_rows(bundle: Bundle, part: str) -> Iterator[tuple[object, ...]]:
    """A row per team, board, metric and number of what counts: `part` is "replicates" or "influence"."""
    teams = bundle.manifest.teams_by_id
    for entry in bundle.manifest.entries:
        report: Report = bundle.report(entry)
        for metric, score in report.metrics.items():
            for number, value in enumerate(getattr(score, part) or ()):
                yield (teams[entry.team].name, entry.track, entry.board, metric, number, value)
