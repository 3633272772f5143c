"""The section of one board in one track."""

import math
from collections.abc import Sequence
from html import escape

from evaluator.metrics.registry import lookup
from evaluator.report._analysis import LEVEL, Pairs, pairs
from evaluator.report._html import Cell, figure, legend, table
from evaluator.report._read import Entry
from evaluator.report._svg import Interval, box_plot, group_plot, interval_plot
from evaluator.scoring import GroupReport, MetricReport
from evaluator.spec import Board, Challenge

_SIGNIFICANT = 1 - LEVEL


def section(challenge: Challenge, track: str, name: str, entries: Sequence[Entry]) -> str:
    """Values, distributions, groups and tests of one board; `entries` are those of the track."""
    board = challenge.boards[name]
    parts = [
        f'<section id="{track}-{name}"><h3>{escape(board.title)}</h3>',
        f'<p class="facts">{_cases(entries)} Dataset {_short(entries[0].report.extras.dataset)}.</p>',
        _values(board, entries),
        _remarks(board, entries),
        f'<div class="plots">{_intervals(board, entries)}{_distributions(board, entries)}</div>',
        _groups(board, entries),
        *(_map(board, key, pairs(challenge, entries, key)) for key in board.metrics),
    ]
    return "".join([*parts, "</section>\n"])


def _cases(entries: Sequence[Entry]) -> str:
    cases = len(entries[0].report.cases)
    return f"{cases} test case." if cases == 1 else f"{cases} test cases."


def _short(digest: str) -> str:
    kind, _, value = digest.rpartition(":")
    return f'<span title="{escape(digest)}">{escape(kind)} {escape(value[:12])}…</span>'


def _title(board: Board, key: str) -> str:
    return board.metrics[key].title or key


def _arrow(board: Board, key: str) -> str:
    return (
        "higher is better" if lookup(board.metrics[key].metric).direction == "higher" else "lower is better"
    )


def _values(board: Board, entries: Sequence[Entry]) -> str:
    head = ["Team"]
    head += [f"{escape(_title(board, key))}<br><small>{_arrow(board, key)}</small>" for key in board.metrics]
    head.append("Missing outputs")
    ordered = _ordered(board, entries)
    rows: list[list[Cell]] = [
        [
            escape(one.team) + (" (baseline)" if one.baseline else ""),
            *(_value(one.report.metrics[key]) for key in board.metrics),
            str(one.report.extras.missing + one.report.extras.wrong_shape),
        ]
        for one in ordered
    ]
    styles = ["baseline" if one.baseline else "" for one in ordered]
    return table(head, rows, caption=f"Values with {LEVEL:.0%} intervals", styles=styles)


def _value(metric: MetricReport) -> str:
    if metric.value is None:
        return "failed" if metric.fault else "not scored"
    interval = "" if metric.low is None else f"<small>{metric.low:#.4g} to {metric.high:#.4g}</small>"
    return f"{metric.value:#.4g}{interval}"


def _ordered(board: Board, entries: Sequence[Entry]) -> list[Entry]:
    """Best first on the board's first metric, those without a value last."""
    key = board.primary or next(iter(board.metrics))
    sign = -1 if lookup(board.metrics[key].metric).direction == "higher" else 1

    def order(one: Entry) -> tuple[float, str]:
        value = one.report.metrics[key].value
        return (math.inf if value is None else sign * value, one.team)

    return sorted(entries, key=order)


def _remarks(board: Board, entries: Sequence[Entry]) -> str:
    """Why something has no value, once per reason."""
    reasons: dict[str, list[str]] = {}
    for one in entries:
        for key, metric in one.report.metrics.items():
            if metric.value is None:
                said = one.report.rejected or metric.reason or "It was not scored."
                what = "" if one.report.rejected else f" ({_title(board, key)})"
                team = f"{one.team}{what}"
                if team not in reasons.setdefault(said, []):
                    reasons[said].append(team)
    lines = "".join(f"<li>{escape(', '.join(teams))}: {escape(said)}</li>" for said, teams in reasons.items())
    return f"<ul>{lines}</ul>" if lines else ""


def _intervals(board: Board, entries: Sequence[Entry]) -> str:
    drawn = []
    for key in board.metrics:
        rows = []
        for one in _ordered(board, entries):
            metric = one.report.metrics[key]
            rows.append(Interval(one.team, metric.value, metric.low, metric.high, hollow=one.baseline))
        if any(row.value is not None for row in rows):
            title = f"{_title(board, key)} of {board.title}"
            note = f"Value and {LEVEL:.0%} interval; {_arrow(board, key)}."
            drawn.append(figure(interval_plot(title, rows), _title(board, key), note))
    return "".join(drawn)


def _distributions(board: Board, entries: Sequence[Entry]) -> str:
    drawn = []
    for key in board.metrics:
        rows = [
            (one.team, [value for value in one.report.per_case.get(key, ()) if value is not None])
            for one in _ordered(board, entries)
        ]
        if any(values for _, values in rows):
            title = f"{_title(board, key)} of single cases"
            note = "Dots: cases. Box: quartiles and median. Diamond: mean."
            drawn.append(figure(box_plot(f"{title}, {board.title}", rows), title, note))
    return "".join(drawn)


def _groups(board: Board, entries: Sequence[Entry]) -> str:
    with_groups = [one for one in _ordered(board, entries) if one.report.extras.groups]
    if not with_groups:
        return ""
    first = with_groups[0].report.extras.groups or {}
    parts = [_variable(board, variable, list(groups), with_groups) for variable, groups in first.items()]
    return f"<h4>Groups</h4>{''.join(parts)}"


def _variable(board: Board, variable: str, groups: list[str], entries: Sequence[Entry]) -> str:
    parts = []
    for key in board.metrics:
        rows = [(one.team, [_of_group(one, variable, group, key) for group in groups]) for one in entries]
        if not any(value is not None for _, values in rows for value in values):
            continue
        known = [(entry.report.extras.groups or {}).get(variable, {}) for entry in entries]
        sizes = [next((found[group].size for found in known if group in found), 0) for group in groups]
        named = [f"{group} (n = {size})" for group, size in zip(groups, sizes, strict=True)]
        cells = [
            [escape(team), *("–" if value is None else f"{value:.3f}" for value in values)]
            for team, values in rows
        ]
        title = f"{_title(board, key)} by {variable}"
        drawn = figure(group_plot(title, groups, rows), title) + legend(groups)
        numbers = table(["Team", *map(escape, named)], cells, caption=f"{title}: value within each group")
        parts.append(f'<div class="plots together"><div>{drawn}</div>{numbers}</div>')
    return "".join(parts)


def _of_group(entry: Entry, variable: str, group: str, key: str) -> float | None:
    found: GroupReport | None = (entry.report.extras.groups or {}).get(variable, {}).get(group)
    return None if found is None else found.values.get(key)


def _map(board: Board, key: str, found: Pairs | None) -> str:
    """The significance map: who is better than whom, as a table that needs no colour."""
    if found is None:
        return ""
    count = len(found.teams)
    head = ["Team", *(str(number) for number in range(1, count + 1))]
    rows: list[list[Cell]] = [
        [f"{row + 1}. {escape(team)}", *(_pair(found, row, column) for column in range(count))]
        for row, team in enumerate(found.teams)
    ]
    title = f"Significance map: {_title(board, key)}"
    caption = (
        f"p between the teams of a row and a column, by Holm's method for {count * (count - 1) // 2} pairs "
        f"({found.test}). ▲: the row's team is better, ▼: worse, at p < {_SIGNIFICANT:.2g}."
    )
    return f"<h4>{escape(title)}</h4>{table(head, rows, caption=caption, kind='map')}"


def _pair(found: Pairs, row: int, column: int) -> Cell:
    if row == column:
        return ("·", "self")
    p = float(found.adjusted[row, column])
    if math.isnan(p):
        return "–"
    shown = "&lt;.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 1 else "1"
    if p >= _SIGNIFICANT:
        return shown
    return (f"▲ {shown}", "better") if found.better[row, column] else (f"▼ {shown}", "worse")
