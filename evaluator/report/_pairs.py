"""The tests of one metric between all teams: a map of who is better than whom, and what is known of each pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluator.charts import ComparedPair, Picture, significance_map
from evaluator.comparison import MetricTests, PairTest
from evaluator.interval_methods import Method
from evaluator.report._parts import Cell, HtmlTable, title_of
from evaluator.spec import Board

LEVEL = 0.95
"""Of the intervals of places and of the tests between teams."""

_TESTS = {"influence, t": "t from influence values"}
_SCALES: Mapping[Method, str] = {"fisher": "Fisher"}
_MOST_TEAMS = 50  # whose pairs a page lists: more than 1,225 rows nobody reads

Pairs = Mapping[tuple[str, str], PairTest]
"""By team and other, each pair both ways round."""


@dataclass(frozen=True)
class Significance:
    """The map of one metric as a picture and with its p-values, and a row for each pair; None where these are many."""

    title: str
    picture: Picture
    map: HtmlTable
    pairs: HtmlTable | None


def significance_of(
    board: Board, key: str, ordered: Sequence[str], tests: MetricTests, *, higher_is_better: bool
) -> Significance:
    """The tests of a metric between the teams of `ordered`, best first, that take part in them."""
    teams = [team for team in ordered if team in tests.groups]
    pairs = {one.teams: one for pair in tests.pairs for one in (pair, pair.turned())}
    sign = 1 if higher_is_better else -1
    rows = [
        [
            f"{number}. {team}",
            *(
                Cell("·", style="self")
                if other == team
                else _cell(pairs[team, other], sign)
                if (team, other) in pairs
                else "–"
                for other in teams
            ),
        ]
        for number, team in enumerate(teams, 1)
    ]
    head = ["Team", *(str(number) for number in range(1, len(teams) + 1))]
    caption = (
        f"p-values of the team of a row against that of a column ({_test(board, tests)}), corrected by Holm's method "
        f"for all pairs of all metrics of the track. ▲: the row's team is better, ▼: worse, at p ≤ {1 - LEVEL:.2g}. "
        "No sign: no difference shown, which does not prove the two equal."
    )
    return Significance(
        f"Significance map: {title_of(board, key)}",
        _drawn(title_of(board, key), teams, pairs, sign),
        HtmlTable(head, rows, caption, kind="map"),
        None if len(teams) > _MOST_TEAMS else _listed(teams, pairs, tests.scale),
    )


def _drawn(metric: str, teams: Sequence[str], pairs: Pairs, sign: int) -> Picture:
    found = [
        ComparedPair(team, other, _order(pairs[team, other], sign), pairs[team, other].adjusted_in_track)
        for number, team in enumerate(teams)
        for other in teams[number + 1 :]
        if (team, other) in pairs
    ]
    return significance_map(teams, found, level=LEVEL, title=f"Who is ahead of whom in {metric}")


def _order(pair: PairTest, sign: int) -> Literal["ahead", "behind", "alike"]:
    """What is shown of a pair; `sign` is 1 where higher is better, else −1."""
    lead = sign * pair.difference
    return "alike" if not pair.apart(LEVEL) or lead == 0 else "ahead" if lead > 0 else "behind"


def _cell(pair: PairTest, sign: int) -> str | Cell:
    shown = _p(pair.adjusted_in_track)
    match _order(pair, sign):
        case "ahead":
            return Cell(f"▲ {shown}", style="better")
        case "behind":
            return Cell(f"▼ {shown}", style="worse")
    return shown


def _listed(teams: Sequence[str], pairs: Pairs, scale: Method | None) -> HtmlTable:
    """A row for each pair, the team ahead first; `scale` is that of the effects."""
    listed = [
        pairs[team, other]
        for number, team in enumerate(teams)
        for other in teams[number + 1 :]
        if (team, other) in pairs
    ]
    superior = any(pair.superiority is not None for pair in listed)
    rows = [
        [
            f"{pair.teams[0]} – {pair.teams[1]}",
            *([] if scale is None else [f"{pair.difference:+#.3g}"]),
            Cell(f"{pair.effect:+#.3g}", _ends(pair.low, pair.high)),
            *([_superiority(pair)] if superior else []),
            _p(pair.p),
            _p(pair.adjusted),
            _p(pair.adjusted_in_track),
        ]
        for pair in listed
    ]
    better = " Better: in how much of the cases the first team is, half of ties counted." if superior else ""
    caption = (
        f"Each pair, the team ahead first, with {LEVEL:.0%} intervals that hold for all pairs of the metric at once."
        f"{better} p before correction, corrected for the {len(listed)} pairs of this metric, and for those of all "
        "metrics of the track; the last one decides whether a team is called better. Intervals hold for all "
        "pairs at once, while Holm's p of later pairs allows for fewer, so a small p in the metric may stand beside an "
        "interval that holds 0."
    )
    return HtmlTable(
        [
            "Pair",
            "Difference",
            *([] if scale is None else [f"On the {_SCALES.get(scale, scale)} scale"]),
            *(["Better"] if superior else []),
            "p alone",
            "p in the metric",
            "p in the track",
        ],
        rows,
        caption,
    )


def _superiority(pair: PairTest) -> str | Cell:
    if pair.superiority is None:
        return "–"
    low, high = pair.superiority_low, pair.superiority_high
    ends = "no interval" if low is None or high is None else f"{low:.0%} to {high:.0%}"
    return Cell(f"{pair.superiority:.0%}", ends)


def _ends(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"{low:#.3g} to {high:#.3g}"


def _test(board: Board, tests: MetricTests) -> str:
    of_cases = board.bootstrap.unit == "case" or (tests.test or "").startswith(("paired perm", "Wilcoxon"))
    unit = "cases" if of_cases else f"{board.bootstrap.unit}s"
    return f"{_TESTS.get(tests.test or '', tests.test)}, {tests.units:,} {unit}"


def _p(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 1 else "1"
