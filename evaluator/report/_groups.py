"""What a board says about groups of patients, and about the seeds of a probe."""

import re
from collections.abc import Sequence
from html import escape

import numpy as np

from evaluator.comparison import step_down
from evaluator.metrics import DatasetMetric
from evaluator.metrics.registry import lookup
from evaluator.report._entries import Entry
from evaluator.report._html import Cell, figure, legend, table, title_of
from evaluator.report._svg import group_plot
from evaluator.scoring import FairnessReport, GroupReport
from evaluator.spec import Board, Metric

_FEW = "†"
_NOTED = "‡"


def groups_of(board: Board, entries: Sequence[Entry]) -> str:
    """Values within groups as plots and tables, and whether their differences are more than chance gives."""
    with_groups = [one for one in entries if one.report.extras.groups]
    if not with_groups:
        return ""
    first = with_groups[0].report.extras.groups or {}
    parts = [
        _variable(board, key, variable, sorted(groups, key=_bounds), with_groups)
        for variable, groups in first.items()
        for key in board.metrics
    ]
    chance = "".join(_disparities(board, key, with_groups) for key in board.metrics)
    said = f"{_few(board, list(first))}{_noted(with_groups)}{_uninformative(board, with_groups)}"
    return f"<h4>Groups</h4>{''.join(parts)}{said}{chance}{_bias(board, with_groups)}"


def _few(board: Board, variables: Sequence[str]) -> str:
    least = {one.variable: one.enough for one in board.groups if one.variable in variables}
    bounds = ", ".join(f"{escape(variable)} {number}" for variable, number in least.items())
    return f'<p class="quiet">{_FEW} too few subjects to say anything (fewer than: {bounds}).</p>'


def _noted(entries: Sequence[Entry]) -> str:
    """What the marked intervals do not tell, once per sentence."""
    notes = {
        re.sub(r"in [\d,]+ of [\d,]+ resamples", "in some resamples", note)
        for one in entries
        for groups in (one.report.extras.groups or {}).values()
        for group in groups.values()
        for note in group.interval_notes.values()
    }
    return "".join(f'<p class="quiet">{_NOTED} {escape(note)}</p>' for note in sorted(notes))


def _bias(board: Board, entries: Sequence[Entry]) -> str:
    """How far the resamples of fairness lie below its values."""
    lines = []
    for key, metric in board.metrics.items():
        found = [
            float(np.mean([one for one in report.replicates if one is not None])) - report.value
            for report in (entry.report.metrics[key] for entry in entries)
            if report.value is not None and any(one is not None for one in report.replicates)
        ]
        if found and _compares(metric):
            spread = f"{min(found):+.3f} to {max(found):+.3f}".replace("-", "−")
            lines.append(
                f'<p class="quiet">{escape(title_of(board, key))}: the mean of the resamples minus the value is '
                f"{spread}. By about as much its intervals lie too low; the value itself lies too low by what chance "
                "alone gives (table above).</p>"
            )
    return "".join(lines)


def _bounds(group: str) -> tuple[list[float], str]:
    """Sorts bins such as "40 < x <= 60" by their bounds, and names by the alphabet."""
    return [float(one) for one in re.findall(r"\d+(?:\.\d+)?", group)], group


def _variable(board: Board, key: str, variable: str, groups: list[str], entries: Sequence[Entry]) -> str:
    found = [[_group(one, variable, name) for name in groups] for one in entries]
    rows = [
        (one.team, [None if group is None else group.values.get(key) for group in line])
        for one, line in zip(entries, found, strict=True)
    ]
    if not any(value is not None for _, values in rows for value in values):
        return ""
    cells: list[list[Cell]] = [
        [escape(one.team), *(_cell(group, key) for group in line)]
        for one, line in zip(entries, found, strict=True)
    ]
    sizes = [max((group.size for group in column if group), default=0) for column in zip(*found, strict=True)]
    head = ["Team", *(f"{escape(name)}<br>{size} cases" for name, size in zip(groups, sizes, strict=True))]
    title = f"{_compared(board, key, entries)} by {variable}"
    drawn = figure(group_plot(title, groups, rows), title, "Line: from the worst group to the best.")
    numbers = table(
        head,
        cells,
        caption=f"{title}: value within each group, with its {board.bootstrap.level:.0%} interval",
    )
    return f'<div class="plots together"><div>{drawn}{legend(groups)}</div>{numbers}</div>'


def _compared(board: Board, key: str, entries: Sequence[Entry]) -> str:
    """What has a value within a group: of a fairness metric, the one that it compares."""
    found = [(one.report.extras.fairness or {}).get(key) for one in entries]
    reports = [one for one in found if one is not None]
    return _called(reports[0].of) if reports else title_of(board, key)


def _compares(metric: Metric) -> bool:
    row = lookup(metric.metric)
    return isinstance(row, DatasetMetric) and row.compares is not None


def _called(metric: str) -> str:
    return lookup(metric).title or metric


def _group(entry: Entry, variable: str, name: str) -> GroupReport | None:
    return (entry.report.extras.groups or {}).get(variable, {}).get(name)


def _cell(group: GroupReport | None, key: str) -> str:
    value = None if group is None else group.values.get(key)
    if group is None or value is None:
        return "–"
    bounds = group.intervals.get(key)
    mark = f" {_NOTED}" if key in group.interval_notes else ""
    said = "no interval" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"
    interval = f"<small>{said}{mark}</small>"
    return f"{value:.3f}{'' if group.enough else _FEW}{interval}"


def _disparities(board: Board, key: str, entries: Sequence[Entry]) -> str:
    reports = [(one.team, (one.report.extras.fairness or {}).get(key)) for one in entries]
    rows = [row for team, report in reports if report is not None for row in _of_team(team, report)]
    if not rows:
        return ""
    head = ["Team", "Variable", "Difference", "Expected by chance", "p", "Worst group"]
    caption = (
        f"{title_of(board, key)}: the difference between the best and the worst group, and the mean difference that "
        "chance alone gives (subjects of a class change groups at random). p: how often chance gives at least the "
        "difference found, corrected for a team's variables by Holm's method, not for the number of teams. A small "
        "p: more than chance. A large p proves no equality."
    )
    return table(head, rows, caption=caption)


def _of_team(team: str, report: FairnessReport) -> list[list[Cell]]:
    tested = [name for name, one in report.variables.items() if one.p_value is not None]
    raw = np.array([report.variables[name].p_value for name in tested], dtype=np.float64)
    adjusted = dict(zip(tested, step_down(raw).tolist(), strict=True))
    return [
        [
            escape(team),
            escape(variable) + ("" if one.enough else f" {_FEW}"),
            *("–" if value is None else f"{value:.3f}" for value in (one.disparity, one.expected)),
            f"{adjusted[variable]:.3f}" if variable in adjusted else "–",
            "–"
            if one.worst is None or one.worst_value is None
            else f"{escape(one.worst)} ({one.worst_value:.3f})",
        ]
        for variable, one in report.variables.items()
    ]


def _uninformative(board: Board, entries: Sequence[Entry]) -> str:
    lines = [
        f"<li>{escape(one.team)}, {escape(title_of(board, key))}: perhaps fair only because uninformative. Its "
        f"{escape(_called(report.of))} over all cases{_measured(report)} is not shown to be better than "
        "chance, and groups are alike where nothing was learnt about anybody.</li>"
        for one in entries
        for key, report in (one.report.extras.fairness or {}).items()
        if report.uninformative
    ]
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _measured(report: FairnessReport) -> str:
    if report.value is None or report.chance is None:
        return ""
    interval = "" if report.low is None or report.high is None else f", {report.low:.3f} to {report.high:.3f}"
    return f" ({report.value:.3f}{interval}; chance {report.chance:.3f})"


def seeds_of(board: Board, entries: Sequence[Entry]) -> str:
    """How much the seed of a probe alone moves each metric, and what a convex fit gives."""
    rows: list[list[Cell]] = []
    for one in entries:
        probe = one.report.extras.probe
        for key, seeds in (probe.by_seed if probe else {}).items():
            if probe is None or seeds.mean is None or key not in board.metrics:
                continue
            convex = probe.reference.get(key)
            spread = (
                "–" if seeds.low is None or seeds.high is None else f"{seeds.low:.3f} to {seeds.high:.3f}"
            )
            rows.append(
                [
                    escape(one.team),
                    escape(title_of(board, key)),
                    f"{seeds.mean:.3f}",
                    "–" if seeds.sd is None else f"{seeds.sd:.3f}",
                    spread,
                    "–" if convex is None else f"{convex:.3f}",
                ]
            )
    if not rows:
        return ""
    probe = next(one.report.extras.probe for one in entries if one.report.extras.probe)
    head = ["Team", "Metric", "Mean", "SD", "Range", "Convex fit"]
    caption = (
        f"How much the training seed alone moves a value: the probe trained with {len(probe.seeds)} seeds on the same "
        "split. Convex fit: a logistic regression that needs no seed, for comparison only"
    )
    return f"<h4>Seeds of the probe</h4>{table(head, rows, caption=caption)}"
