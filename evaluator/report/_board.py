"""The section of one board in one track."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from evaluator.comparison import MetricTests
from evaluator.metrics.registry import lookup
from evaluator.report._entries import Entry
from evaluator.report._groups import groups_of, seeds_of
from evaluator.report._html import Cell, figure, table, title_of
from evaluator.report._svg import MOST_DOTS, Interval, box_plot, interval_plot
from evaluator.scoring import MetricReport
from evaluator.spec import Board, Challenge

LEVEL = 0.95
"""Of the intervals of places and of the tests between teams."""
_TESTS = {"influence, normal": "normal approximation"}


def section(
    challenge: Challenge, track: str, name: str, entries: Sequence[Entry], tests: Mapping[str, MetricTests]
) -> str:
    """Values, distributions, groups and tests of one board; `entries` are those of the track."""
    board = challenge.boards[name]
    parts = [
        f'<section id="{track}-{name}"><h3>{escape(board.title)}</h3>',
        f'<p class="facts">{_cases(board, entries)} Dataset {_short(entries[0].report.extras.dataset)}.</p>',
        _values(board, entries),
        _remarks(board, entries),
        _interval_notes(board, entries),
        f'<div class="plots">{_intervals(board, entries)}{_distributions(board, entries)}</div>',
        groups_of(board, _ordered(board, entries)),
        seeds_of(board, _ordered(board, entries)),
        *(_map(board, key, entries, found) for key, found in tests.items() if found.test),
        _untested(board, tests),
    ]
    return "".join([*parts, "</section>\n"])


def _cases(board: Board, entries: Sequence[Entry]) -> str:
    """Which cases the score is made of, and what its intervals draw."""
    cases = len(entries[0].report.cases)
    said = f"{cases:,} case{'' if cases == 1 else 's'}."
    probe = next((one.report.extras.probe for one in entries if one.report.extras.probe), None)
    if probe is not None:
        said = (
            f"Scored: {probe.test:,} test cases of {cases:,}; {probe.train:,} others train the probe and "
            f"{probe.val:,} choose its learning rate."
        )
    drawn = next((one for one in entries if one.report.rejected is None), entries[0]).report.extras.sampling
    within = " and ".join(board.bootstrap.strata)
    return (
        f"{said} Intervals: {escape(drawn)}, {board.bootstrap.resamples:,} resamples by {board.bootstrap.unit}"
        f"{f' within {within}' if within else ''}."
    )


def _short(digest: str) -> str:
    kind, _, value = digest.rpartition(":")
    return f'<span title="{escape(digest)}">{escape(kind)} {escape(value[:12])}…</span>'


def _arrow(board: Board, key: str) -> str:
    return (
        "higher is better" if lookup(board.metrics[key].metric).direction == "higher" else "lower is better"
    )


def _values(board: Board, entries: Sequence[Entry]) -> str:
    head = ["Team"]
    head += [
        f"{escape(title_of(board, key))}<br><small>{_arrow(board, key)}</small>" for key in board.metrics
    ]
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
    return table(head, rows, caption=f"Values with {board.bootstrap.level:.0%} intervals", styles=styles)


def _value(metric: MetricReport) -> str:
    if metric.value is None:
        return "failed" if metric.fault else "not scored"
    mark = "" if metric.interval_note is None else " ‡"
    interval = f"<small>no interval{mark}</small>"
    if metric.low is not None:
        interval = f"<small>{metric.low:#.4g} to {metric.high:#.4g}{mark}</small>"
    return f"{metric.value:#.4g}{interval}"


def _ordered(board: Board, entries: Sequence[Entry], metric: str | None = None) -> list[Entry]:
    """Best first on the metric, or on the board's first one; those without a value last."""
    key = metric or board.primary or next(iter(board.metrics))
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
                what = "" if one.report.rejected else f" ({title_of(board, key)})"
                team = f"{one.team}{what}"
                if team not in reasons.setdefault(said, []):
                    reasons[said].append(team)
    lines = "".join(f"<li>{escape(', '.join(teams))}: {escape(said)}</li>" for said, teams in reasons.items())
    return f"<ul>{lines}</ul>" if lines else ""


def _interval_notes(board: Board, entries: Sequence[Entry]) -> str:
    """What intervals do not tell, once per sentence, with the metrics and teams that it is said of."""
    notes: dict[str, dict[str, list[str]]] = {}
    for one in entries:
        for key, metric in one.report.metrics.items():
            if metric.value is not None and metric.interval_note is not None:
                notes.setdefault(metric.interval_note, {}).setdefault(title_of(board, key), []).append(
                    one.team
                )
    lines = []
    for said, found in notes.items():
        where = "; ".join(f"{title}: {', '.join(teams)}" for title, teams in found.items())
        lines.append(f"<li>‡ {escape(said)} ({escape(where)})</li>")
    return f'<ul class="quiet">{"".join(lines)}</ul>' if lines else ""


def _intervals(board: Board, entries: Sequence[Entry]) -> str:
    drawn = []
    for key in board.metrics:
        rows = []
        for one in _ordered(board, entries):
            metric = one.report.metrics[key]
            rows.append(Interval(one.team, metric.value, metric.low, metric.high, hollow=one.baseline))
        if any(row.value is not None for row in rows):
            title = f"{title_of(board, key)} of {board.title}"
            note = f"Value and {board.bootstrap.level:.0%} interval; {_arrow(board, key)}."
            drawn.append(figure(interval_plot(title, rows), title_of(board, key), note))
    return "".join(drawn)


def _distributions(board: Board, entries: Sequence[Entry]) -> str:
    drawn = []
    for key in board.metrics:
        rows = [
            (one.team, [value for value in one.report.per_case.get(key, ()) if value is not None])
            for one in _ordered(board, entries)
        ]
        if any(values for _, values in rows):
            title = f"{title_of(board, key)} of single cases"
            many = max(len(values) for _, values in rows) > MOST_DOTS
            dots = f"Dots: {MOST_DOTS} of the cases" if many else "Dots: cases"
            note = f"{dots}. Box: quartiles and median. Diamond: mean."
            drawn.append(figure(box_plot(f"{title}, {board.title}", rows), title, note))
    return "".join(drawn)


def _map(board: Board, key: str, entries: Sequence[Entry], tests: MetricTests) -> str:
    """The significance map: who is better than whom, as a table that needs no colour."""
    teams = [one.team for one in _ordered(board, entries, key) if one.team in tests.groups]
    sign = 1 if lookup(board.metrics[key].metric).direction == "higher" else -1
    cells: dict[tuple[str, str], Cell] = {}
    for pair in tests.pairs:
        one, other = pair.teams
        cells[one, other] = _pair(pair.adjusted, sign * pair.difference)
        cells[other, one] = _pair(pair.adjusted, -sign * pair.difference)
    rows: list[list[Cell]] = [
        [
            f"{number}. {escape(team)}",
            *(("·", "self") if other == team else cells.get((team, other), "–") for other in teams),
        ]
        for number, team in enumerate(teams, 1)
    ]
    head = ["Team", *(str(number) for number in range(1, len(teams) + 1))]
    title = f"Significance map: {title_of(board, key)}"
    caption = (
        f"p-values of the team of a row against that of a column ({_test(board, tests)}), corrected for all "
        f"{len(tests.pairs)} pairs by Holm's method. ▲: the row's team is better, ▼: worse, at p ≤ {1 - LEVEL:.2g}. "
        "No sign: no difference shown, which does not prove the two equal."
    )
    return f"<h4>{escape(title)}</h4>{table(head, rows, caption=caption, kind='map')}"


def _test(board: Board, tests: MetricTests) -> str:
    of_cases = board.bootstrap.unit == "case" or (tests.test or "").startswith(("paired perm", "Wilcoxon"))
    unit = "cases" if of_cases else "subjects"
    return f"{_TESTS.get(tests.test or '', tests.test)}, {tests.units:,} {unit}"


def _pair(p: float, lead: float) -> Cell:
    """Adjusted p of two teams; `lead` is by how much the row's team is better."""
    shown = "&lt;.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 1 else "1"
    if p > 1 - LEVEL or lead == 0:
        return shown
    return (f"▲ {shown}", "better") if lead > 0 else (f"▼ {shown}", "worse")


def _untested(board: Board, tests: Mapping[str, MetricTests]) -> str:
    """Which metrics have no test, once per reason."""
    reasons: dict[str, list[str]] = {}
    for key, found in tests.items():
        if found.test is None and found.reason is not None:
            reasons.setdefault(found.reason, []).append(title_of(board, key))
    return "".join(
        f'<p class="quiet">No tests between teams in {escape(", ".join(titles))}. {escape(reason)}</p>'
        for reason, titles in reasons.items()
    )
