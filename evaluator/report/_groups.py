"""What a board says about groups of patients, and about the seeds of a probe."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.charts import group_plot
from evaluator.comparison import step_down
from evaluator.metrics import DatasetMetric
from evaluator.metrics.registry import lookup
from evaluator.report._entries import TeamReport
from evaluator.report._parts import Cell, Figure, HtmlTable, title_of
from evaluator.scoring import FairnessReport, GroupReport
from evaluator.spec import Board, Metric

_FEW = "†"
_NOTED = "‡"


@dataclass(frozen=True)
class Groups:
    """Values within groups, whether their differences are more than chance gives, and what to bear in mind.

    variables: a plot and a table of each metric and variable. few: how many subjects are too few. notes: what marked
    intervals do not tell. bias: how far resamples lie below the values.
    """

    variables: Sequence[tuple[Figure, HtmlTable]]
    few: str
    notes: Sequence[str]
    uninformative: Sequence[str]
    disparities: Sequence[HtmlTable]
    bias: Sequence[str]


def groups_of(board: Board, entries: Sequence[TeamReport]) -> Groups | None:
    """Values within groups as plots and tables; None where nobody's report has any."""
    with_groups = [entry for entry in entries if entry.report.extras.groups]
    if not with_groups:
        return None
    first = with_groups[0].report.extras.groups or {}
    variables = [
        _variable(board, key, variable, sorted(groups, key=_bounds), with_groups)
        for variable, groups in first.items()
        for key in board.metrics
    ]
    disparities = [_disparities(board, key, with_groups) for key in board.metrics]
    return Groups(
        variables=[drawn for drawn in variables if drawn],
        few=_few(board, list(first)),
        notes=_noted(with_groups),
        uninformative=_uninformative(board, with_groups),
        disparities=[table for table in disparities if table],
        bias=_bias(board, with_groups),
    )


def _few(board: Board, variables: Sequence[str]) -> str:
    least = {rule.variable: rule.enough for rule in board.groups if rule.variable in variables}
    bounds = ", ".join(f"{variable} {number}" for variable, number in least.items())
    return f"{_FEW} too few subjects to say anything (fewer than: {bounds})."


def _noted(entries: Sequence[TeamReport]) -> list[str]:
    """What the marked intervals do not tell, once per sentence."""
    notes = {
        re.sub(r"in [\d,]+ of [\d,]+ resamples", "in some resamples", note)
        for entry in entries
        for groups in (entry.report.extras.groups or {}).values()
        for group in groups.values()
        for note in group.interval_notes.values()
    }
    return [f"{_NOTED} {note}" for note in sorted(notes)]


def _bias(board: Board, entries: Sequence[TeamReport]) -> list[str]:
    """How far the resamples of fairness lie below its values."""
    sentences = []
    for key, metric in board.metrics.items():
        shifts = [
            float(np.mean([value for value in report.replicates if value is not None])) - report.value
            for report in (entry.report.metrics[key] for entry in entries)
            if report.value is not None and any(value is not None for value in report.replicates)
        ]
        if shifts and _compares(metric):
            spread = f"{min(shifts):+.3f} to {max(shifts):+.3f}".replace("-", "−")
            sentences.append(
                f"{title_of(board, key)}: the mean of the resamples minus the value is {spread}. The "
                "value itself lies too low by what chance alone gives (table above), and its interval allows for that."
            )
    return sentences


def _bounds(group: str) -> tuple[list[float], str]:
    """Sorts bins such as "40 < x <= 60" by their bounds, and names by the alphabet."""
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", group)], group


def _variable(
    board: Board, key: str, variable: str, groups: list[str], entries: Sequence[TeamReport]
) -> tuple[Figure, HtmlTable] | None:
    lines = [[_group(entry, variable, name) for name in groups] for entry in entries]
    rows = [
        (entry.team, [None if group is None else group.values.get(key) for group in line])
        for entry, line in zip(entries, lines, strict=True)
    ]
    if not any(value is not None for _, values in rows for value in values):
        return None
    sizes = [max((group.size for group in column if group), default=0) for column in zip(*lines, strict=True)]
    title = f"{_compared(board, key, entries)} by {variable}"
    plot = Figure(
        group_plot(title, groups, rows), title, "Line: from the worst group to the best.", marks=groups
    )
    table = HtmlTable(
        ["Team", *(Cell(name, f"{size} cases") for name, size in zip(groups, sizes, strict=True))],
        [
            [entry.team, *(_cell(group, key) for group in line)]
            for entry, line in zip(entries, lines, strict=True)
        ],
        f"{title}: value within each group, with its {board.bootstrap.level:.0%} interval",
    )
    return plot, table


def _compared(board: Board, key: str, entries: Sequence[TeamReport]) -> str:
    """What has a value within a group: of a fairness metric, the one that it compares."""
    known = [(entry.report.extras.fairness or {}).get(key) for entry in entries]
    reports = [report for report in known if report is not None]
    return _called(reports[0].of) if reports else title_of(board, key)


def _compares(metric: Metric) -> bool:
    row = lookup(metric.metric)
    return isinstance(row, DatasetMetric) and row.compares is not None


def _called(metric: str) -> str:
    return lookup(metric).title or metric


def _group(entry: TeamReport, variable: str, name: str) -> GroupReport | None:
    return (entry.report.extras.groups or {}).get(variable, {}).get(name)


def _cell(group: GroupReport | None, key: str) -> str | Cell:
    value = None if group is None else group.values.get(key)
    if group is None or value is None:
        return "–"
    bounds = group.intervals.get(key)
    mark = f" {_NOTED}" if key in group.interval_notes else ""
    said = "no interval" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"
    return Cell(f"{value:.3f}{'' if group.enough else _FEW}", f"{said}{mark}")


def _disparities(board: Board, key: str, entries: Sequence[TeamReport]) -> HtmlTable | None:
    reports = [(entry.team, (entry.report.extras.fairness or {}).get(key)) for entry in entries]
    rows = [row for team, report in reports if report is not None for row in _of_team(team, report)]
    if not rows:
        return None
    caption = (
        f"{title_of(board, key)}: the difference between the best and the worst group, and the mean difference that "
        "chance alone gives (subjects of a class change groups at random). p: how often chance gives at least the "
        "difference found, corrected for a team's variables by Holm's method, not for the number of teams. A small "
        "p: more than chance. A large p proves no equality."
    )
    return HtmlTable(
        ["Team", "Variable", "Difference", "Expected by chance", "p", "Worst group"], rows, caption
    )


def _of_team(team: str, report: FairnessReport) -> list[list[str]]:
    tested = [name for name, row in report.variables.items() if row.p_value is not None]
    raw = np.array([report.variables[name].p_value for name in tested], dtype=np.float64)
    adjusted = dict(zip(tested, step_down(raw).tolist(), strict=True))
    return [
        [
            team,
            variable + ("" if row.enough else f" {_FEW}"),
            _number(row.disparity),
            _number(row.expected),
            _number(adjusted.get(variable)),
            "–" if row.worst is None or row.worst_value is None else f"{row.worst} ({row.worst_value:.3f})",
        ]
        for variable, row in report.variables.items()
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _uninformative(board: Board, entries: Sequence[TeamReport]) -> list[str]:
    return [
        f"{entry.team}, {title_of(board, key)}: perhaps fair only because uninformative. Its "
        f"{_called(report.of)} over all cases{_measured(report)} is not shown to be better than "
        "chance, and groups are alike where nothing was learnt about anybody."
        for entry in entries
        for key, report in (entry.report.extras.fairness or {}).items()
        if report.uninformative
    ]


def _measured(report: FairnessReport) -> str:
    if report.value is None or report.chance is None:
        return ""
    interval = "" if report.low is None or report.high is None else f", {report.low:.3f} to {report.high:.3f}"
    return f" ({report.value:.3f}{interval}; chance {report.chance:.3f})"


def seeds_of(board: Board, entries: Sequence[TeamReport]) -> HtmlTable | None:
    """How much the seed of a probe alone moves each metric, and what a convex fit gives."""
    rows: list[list[str]] = []
    seeds, scored = 0, ""
    for entry in entries:
        if (probe := entry.report.extras.probe) is None:
            continue
        seeds = seeds or len(probe.seeds)
        scored = "their mean" if probe.score == "mean" else f"the value of seed {probe.seed}"
        for key, score in probe.by_seed.items():
            if score.mean is None or key not in board.metrics:
                continue
            spread = (
                "–" if score.low is None or score.high is None else f"{score.low:.3f} to {score.high:.3f}"
            )
            numbers = [f"{score.mean:.3f}", _number(score.sd), spread, _number(probe.reference.get(key))]
            rows.append([entry.team, title_of(board, key), *numbers])
    if not rows:
        return None
    caption = (
        f"How much the training seed alone moves a value: the probe trained with {seeds} seeds on the same split. "
        f"Score: {scored}. Convex fit: a logistic regression that needs no seed, for comparison only"
    )
    return HtmlTable(["Team", "Metric", "Mean", "SD", "Range", "Convex fit"], rows, caption)
