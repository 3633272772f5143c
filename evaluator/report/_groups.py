"""What a board says about groups of patients, and about the seeds of a probe."""

import re
from collections.abc import Sequence
from html import escape

from evaluator.report._entries import Entry
from evaluator.report._html import Cell, figure, legend, table, title_of
from evaluator.report._svg import group_plot
from evaluator.scoring import GroupReport
from evaluator.spec import Board

_FEW = "†"


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
    note = f'<p class="quiet">{_FEW} too few subjects to say something.</p>'
    return f"<h4>Groups</h4>{''.join(parts)}{note}{_uninformative(board, with_groups)}{chance}"


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
    head = ["Team", *(f"{escape(name)}<br>n = {size}" for name, size in zip(groups, sizes, strict=True))]
    title = f"{_compared(board, key, entries)} by {variable}"
    drawn = figure(group_plot(title, groups, rows), title, "Line: from the worst group to the best.")
    numbers = table(head, cells, caption=f"{title}: value within each group, with its interval")
    return f'<div class="plots together"><div>{drawn}{legend(groups)}</div>{numbers}</div>'


def _compared(board: Board, key: str, entries: Sequence[Entry]) -> str:
    """What has a value within a group: of a fairness metric, the one that it compares."""
    found = [(one.report.extras.fairness or {}).get(key) for one in entries]
    reports = [one for one in found if one is not None]
    return reports[0].of if reports else title_of(board, key)


def _group(entry: Entry, variable: str, name: str) -> GroupReport | None:
    return (entry.report.extras.groups or {}).get(variable, {}).get(name)


def _cell(group: GroupReport | None, key: str) -> str:
    value = None if group is None else group.values.get(key)
    if group is None or value is None:
        return "–"
    bounds = group.intervals.get(key)
    interval = "" if bounds is None else f"<small>{bounds[0]:.3f} to {bounds[1]:.3f}</small>"
    return f"{value:.3f}{'' if group.enough else _FEW}{interval}"


def _disparities(board: Board, key: str, entries: Sequence[Entry]) -> str:
    reports = [(one.team, (one.report.extras.fairness or {}).get(key)) for one in entries]
    rows: list[list[Cell]] = [
        [
            escape(team),
            escape(variable),
            *("–" if value is None else f"{value:.3f}" for value in (one.disparity, one.expected)),
            "–" if one.p_value is None else f"{one.p_value:.3f}",
            "–"
            if one.worst is None or one.worst_value is None
            else f"{escape(one.worst)} ({one.worst_value:.3f})",
        ]
        for team, report in reports
        if report is not None
        for variable, one in report.variables.items()
    ]
    if not rows:
        return ""
    head = ["Team", "Variable", "Disparity", "Expected by chance", "p", "Worst group"]
    caption = (
        f"{title_of(board, key)}: largest difference between groups, and the mean it has when all groups "
        "fare equally (membership shuffled). A difference that chance also gives is no unfairness."
    )
    return table(head, rows, caption=caption)


def _uninformative(board: Board, entries: Sequence[Entry]) -> str:
    lines = [
        f"<li>{escape(one.team)}, {escape(title_of(board, key))}: fair because uninformative. Its {escape(report.of)} "
        "does not beat chance, so groups are equal because nothing was learnt about anybody.</li>"
        for one in entries
        for key, report in (one.report.extras.fairness or {}).items()
        if report.uninformative
    ]
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


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
    head = ["Team", "Metric", "Mean", "SD", "Range", "Convex fit"]
    caption = "The probe with other seeds on the same split, and a logistic regression that needs no seed"
    return f"<h4>Seeds of the probe</h4>{table(head, rows, caption=caption)}"
