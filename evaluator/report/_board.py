"""The section of one board in one track."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.charts import CaseValues, Picture, PlotRow, distribution, interval_plot
from evaluator.comparison import MetricTests
from evaluator.interval_methods import CALLED, REASONS, Method
from evaluator.metrics import DATASETS, DatasetMetric
from evaluator.metrics.registry import lookup
from evaluator.report._entries import TeamReport
from evaluator.report._groups import Groups, groups_of, seeds_of
from evaluator.report._pairs import Significance, significance_of
from evaluator.report._parts import Cell, Figure, HtmlTable, Remark, title_of
from evaluator.scoring import MetricReport
from evaluator.spec import Board


@dataclass(frozen=True)
class Section:
    """Values, distributions, groups and tests of one board.

    cases: which make the score, and what intervals draw. remarks: why something has no value or report. ways: how
    intervals were made. notes: what they do not tell. covered: how often they hold in simulation. maps: who is better
    than whom in each metric that is tested. untested: metrics that are not, and why.
    """

    anchor: str
    title: str
    cases: str
    dataset: str
    dataset_short: str
    values: HtmlTable
    remarks: Sequence[Remark]
    ways: Sequence[Remark]
    notes: Sequence[Remark]
    covered: Sequence[str]
    plots: Sequence[Figure]
    spreads: Sequence[Picture]
    groups: Groups | None
    seeds: HtmlTable | None
    maps: Sequence[Significance]
    untested: Sequence[Remark]


def section_of(
    board: Board,
    anchor: str,
    entries: Sequence[TeamReport],
    tests: Mapping[str, MetricTests],
    *,
    without: Sequence[Remark] = (),
    covered: Sequence[str] = (),
) -> Section:
    """The section of a board.

    Args:
        board: as it was scored.
        anchor: the section's id.
        entries: those of the track that have a report of the board.
        tests: by metric.
        without: of the others in the track.
        covered: see `Section`.
    """
    ordered = _ordered(board, entries)
    dataset = entries[0].report.extras.dataset
    kind, _, digest = dataset.rpartition(":")
    return Section(
        anchor=anchor,
        title=board.title,
        cases=_cases(board, entries),
        dataset=dataset,
        dataset_short=f"{kind} {digest[:12]}",
        values=_values(board, ordered),
        remarks=[*_remarks(board, entries), *without],
        ways=_ways(board, entries),
        notes=_interval_notes(board, entries),
        covered=covered,
        plots=_intervals(board, ordered),
        spreads=_distributions(board, ordered),
        groups=groups_of(board, ordered),
        seeds=seeds_of(board, ordered),
        maps=[
            significance_of(
                board,
                key,
                [entry.team for entry in _ordered(board, entries, key)],
                tested,
                higher_is_better=_is_higher_better(board, key),
            )
            for key, tested in tests.items()
            if tested.test
        ],
        untested=_untested(board, tests),
    )


def _cases(board: Board, entries: Sequence[TeamReport]) -> str:
    """Which cases the score is made of, and what its intervals draw."""
    cases = len(entries[0].report.cases)
    said = f"{cases:,} case{'' if cases == 1 else 's'}."
    probe = next((entry.report.extras.probe for entry in entries if entry.report.extras.probe), None)
    if probe is not None:
        said = (
            f"Scored: {probe.test:,} test cases of {cases:,}; {probe.train:,} others train the probe and "
            f"{probe.val:,} choose its learning rate."
        )
    scored = next((entry for entry in entries if entry.report.rejected is None), entries[0])
    within = " and ".join(name for name in board.bootstrap.strata if name != "class" or _has_classes(board))
    return (
        f"{said} Intervals: {scored.report.extras.sampling}, {board.bootstrap.resamples:,} resamples by "
        f"{board.bootstrap.unit}{f' within {within}' if within else ''}."
    )


def _has_classes(board: Board) -> bool:
    """Whether the cases of a board may be of classes: those of masks, points and ages never are."""
    rows = [lookup(metric.metric) for metric in board.metrics.values()]
    return any(
        isinstance(row, DatasetMetric) and row.material == DATASETS and row.reads != "numbers" for row in rows
    )


def _is_higher_better(board: Board, key: str) -> bool:
    return lookup(board.metrics[key].metric).direction == "higher"


def _arrow(board: Board, key: str) -> str:
    unit = lookup(board.metrics[key].metric).unit
    said = "higher is better" if _is_higher_better(board, key) else "lower is better"
    return f"{said}, in {unit}" if unit else said


def _values(board: Board, ordered: Sequence[TeamReport]) -> HtmlTable:
    return HtmlTable(
        [
            "Team",
            *(Cell(title_of(board, key), _arrow(board, key)) for key in board.metrics),
            "Missing outputs",
        ],
        [
            [
                entry.team + (" (baseline)" if entry.baseline else ""),
                *(_value(entry.report.metrics[key]) for key in board.metrics),
                str(entry.report.extras.missing + entry.report.extras.wrong_shape),
            ]
            for entry in ordered
        ],
        f"Values with {board.bootstrap.level:.0%} intervals",
        styles=["baseline" if entry.baseline else "" for entry in ordered],
    )


def _value(metric: MetricReport) -> str | Cell:
    if metric.value is None:
        return "failed" if metric.fault else "not scored"
    interval = "no interval" if metric.low is None else f"{metric.low:#.4g} to {metric.high:#.4g}"
    if metric.interval_method is not None:
        interval += f", {CALLED[metric.interval_method]}"
    return Cell(f"{metric.value:#.4g}", interval + ("" if metric.interval_note is None else " ‡"))


def _ordered(board: Board, entries: Sequence[TeamReport], metric: str | None = None) -> list[TeamReport]:
    """Best first on the metric, or on the board's first one; those without a value last."""
    key = metric or board.primary or next(iter(board.metrics))
    sign = -1 if _is_higher_better(board, key) else 1

    def order(entry: TeamReport) -> tuple[float, str]:
        value = entry.report.metrics[key].value
        return (math.inf if value is None else sign * value, entry.team)

    return sorted(entries, key=order)


def _remarks(board: Board, entries: Sequence[TeamReport]) -> list[Remark]:
    """Why something has no value, once per reason."""
    reasons: dict[str, list[str]] = {}
    for entry in entries:
        for key, metric in entry.report.metrics.items():
            if metric.value is None:
                reason = entry.report.rejected or metric.reason or "It was not scored."
                what = "" if entry.report.rejected else f" ({title_of(board, key)})"
                teams = reasons.setdefault(reason, [])
                if f"{entry.team}{what}" not in teams:
                    teams.append(f"{entry.team}{what}")
    return [Remark(", ".join(teams), reason) for reason, teams in reasons.items()]


def _ways(board: Board, entries: Sequence[TeamReport]) -> list[Remark]:
    """How the intervals were made, and why so, once per way."""
    ways: dict[Method, dict[str, None]] = {}
    for entry in entries:
        for key, metric in entry.report.metrics.items():
            if metric.interval_method is not None:
                ways.setdefault(metric.interval_method, {})[title_of(board, key)] = None
    return [
        Remark(", ".join(titles), f"{CALLED[method]}: {REASONS[method]}.") for method, titles in ways.items()
    ]


def _interval_notes(board: Board, entries: Sequence[TeamReport]) -> list[Remark]:
    """What intervals do not tell, once per sentence, with the metrics and teams that it is said of."""
    notes: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        for key, metric in entry.report.metrics.items():
            if metric.value is not None and metric.interval_note is not None:
                teams = notes.setdefault(metric.interval_note, {}).setdefault(title_of(board, key), [])
                teams.append(entry.team)
    return [
        Remark("; ".join(f"{title}: {', '.join(teams)}" for title, teams in titles.items()), note)
        for note, titles in notes.items()
    ]


def _intervals(board: Board, ordered: Sequence[TeamReport]) -> list[Figure]:
    drawn = []
    for key in board.metrics:
        rows = [
            PlotRow(entry.team, metric.value, metric.low, metric.high, hollow=entry.baseline)
            for entry in ordered
            for metric in [entry.report.metrics[key]]
        ]
        if any(row.value is not None for row in rows):
            title = title_of(board, key)
            note = f"Value and {board.bootstrap.level:.0%} interval; {_arrow(board, key)}."
            drawn.append(Figure(interval_plot(f"{title} of {board.title}", rows), title, note))
    return drawn


def _distributions(board: Board, ordered: Sequence[TeamReport]) -> list[Picture]:
    drawn = []
    for key in board.metrics:
        rows = [CaseValues(entry.team, entry.report.per_case.get(key, ())) for entry in ordered]
        if any(value is not None for row in rows for value in row.values):
            better, unit = _is_higher_better(board, key), lookup(board.metrics[key].metric).unit
            drawn.append(distribution(rows, metric=title_of(board, key), higher_is_better=better, unit=unit))
    return drawn


def _untested(board: Board, tests: Mapping[str, MetricTests]) -> list[Remark]:
    """Which metrics have no test, once per reason."""
    reasons: dict[str, list[str]] = {}
    for key, tested in tests.items():
        if tested.test is None and tested.reason is not None:
            reasons.setdefault(tested.reason, []).append(title_of(board, key))
    return [Remark(", ".join(titles), reason) for reason, titles in reasons.items()]
