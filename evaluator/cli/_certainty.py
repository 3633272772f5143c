"""How sure a ranking is, as tables."""

from collections.abc import Iterator, Mapping

from rich.text import Text

from evaluator.cli._folding import FoldedColumn, Folding
from evaluator.comparison import MetricTests, RankLead, TrackComparison
from evaluator.spec import Board
from evaluator.terminal import Console


def print_comparison(
    console: Console, boards: Mapping[str, Board], track: str, comparison: TrackComparison
) -> None:
    """Places with what cannot be excluded and with chances; tests per metric; what one team's absence would change."""
    console.print(_places(track, comparison))
    if (sentence := _lead_sentence(comparison)) is not None:
        console.print(Text(sentence))
    if any(tests.test for board in comparison.boards.values() for tests in board.tests.values()):
        console.print(_tests(boards, comparison))
    for sentence in _untested(boards, comparison):
        console.print(Text(sentence, style="dim"))
    for sentence in () if comparison.prizes is None else comparison.prizes.sentences():
        console.print(Text(sentence))
    console.print(Text(weights_sentence(comparison)))
    for absent in comparison.leave_one_out:
        for pair in absent.reordered:
            console.print(Text(f"Without {absent.team}: {pair.sentence()}."))
    for note in comparison.notes:
        console.print(Text(note, style="dim"))


def _places(track: str, comparison: TrackComparison) -> Folding:
    level, rows = f"{comparison.level:.0%}", comparison.overall
    columns = [
        FoldedColumn("#", [Text(str(row.place), style="bold") for row in rows]),
        FoldedColumn("team", [row.team for row in rows], "left"),
        FoldedColumn(
            f"{level}\nof all", [Text(_span(row.low, row.high), "bold" if row.winner else "") for row in rows]
        ),
        FoldedColumn(f"{level}\nalone", [_span(row.alone_low, row.alone_high) for row in rows]),
        FoldedColumn("top 3", [row.among_three or "–" for row in rows]),
        FoldedColumn("group", ["–" if row.group is None else str(row.group) for row in rows]),
        FoldedColumn("resampled", [_span(row.range_low, row.range_high) for row in rows]),
        FoldedColumn("first\nin", [_count(row.first, comparison.replicates) for row in rows]),
        FoldedColumn("top 3\nin", [_count(row.top3, comparison.replicates) for row in rows]),
    ]
    title = Text(f"{track} track: how sure the places are", style="bold")
    return Folding(columns, keys=2, title=title, caption=_caption(comparison))


def _count(share: float | None, replicates: int) -> str:
    return "–" if share is None else f"{share * replicates:,.0f}"


def _span(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return "–"
    return str(low) if low == high else f"{low}–{high}"


def _caption(comparison: TrackComparison) -> str:
    level, winners = f"{comparison.level:.0%}", [place.team for place in comparison.overall if place.winner]
    told = []
    if winners:
        told.append(
            f"{level} places: those that cannot be excluded, for all teams at once; alone: for a team that is looked "
            "at by itself.\n"
            f"Winner set, all that cannot be excluded as first: {', '.join(winners)}.\n"
            "Group: a team joins the one before it unless the best of its group is surely ahead."
        )
    if comparison.replicates:
        told.append(
            f"Resampled: the places in {level} of {comparison.replicates:,} resamples of the cases, fewer than those "
            "that cannot be excluded where teams are nearly equal; first in, top 3 in: how many, ties counting for all."
        )
    if (stable := comparison.stability) is not None:
        told.append(
            f"Kendall's tau with the full ranking {stable.mean:.2f} ({stable.low:.2f} to {stable.high:.2f}); the "
            f"winner stays in {stable.same_winner * comparison.replicates:,.0f}."
        )
    return "\n".join(told)


def _lead_sentence(comparison: TrackComparison) -> str | None:
    """By how much the first is ahead of the next, where it is known how sure that is."""
    lead = next(iter(comparison.leads), None)
    if lead is None or lead.low is None:
        return None
    first, second = lead.teams
    if lead.tie:
        return f"{first} and {second} tie in mean rank{_tie(lead, comparison.level)}."
    return (
        f"{first} is {lead.lead:.2f} mean ranks ahead of {second} ({comparison.level:.0%} interval for all pairs of "
        f"teams: {lead.low:.2f} to {lead.high:.2f})."
    )


def _tie(lead: RankLead, level: float) -> str:
    """How far from a tie it may be; twins stay one in every draw."""
    if lead.low == lead.high:
        return ", whatever the test cases"
    return (
        f" ({level:.0%} interval of the difference for all pairs of teams: {lead.low:.2f} to {lead.high:.2f})"
    )


def weights_sentence(comparison: TrackComparison) -> str:
    """Who is first in how much of the weights around the declared ones."""
    shares = sorted(comparison.weight_space.items(), key=lambda pair: (-pair[1], pair[0]))
    first = ", ".join(f"{team} in {share:.1%}" for team, share in shares if share > 0)
    return f"Of the weights around the declared ones, first: {first or 'nobody'}."


def _tests(boards: Mapping[str, Board], comparison: TrackComparison) -> Folding:
    tested = [
        (name, boards[name].metrics[key].title or key, tests)
        for name, board in comparison.boards.items()
        for key, tests in board.tests.items()
        if tests.test is not None
    ]
    shown = [tests for *_, tests in tested]
    apart = [sum(pair.apart(comparison.level) for pair in tests.pairs) for tests in shown]
    alone = [sum(pair.adjusted <= 1 - comparison.level for pair in tests.pairs) for tests in shown]
    columns = [
        FoldedColumn("board", [name for name, *_ in tested], "left"),
        FoldedColumn("metric", [title for _, title, _ in tested], "left"),
        FoldedColumn("test", [tests.test or "" for tests in shown], "left"),
        FoldedColumn("units", [str(tests.units) for tests in shown]),
        FoldedColumn(
            "pairs\ntold\napart",
            [f"{found} of {len(tests.pairs)}" for found, tests in zip(apart, shown, strict=True)],
        ),
        FoldedColumn("in the\nmetric\nalone", [str(found) for found in alone]),
        FoldedColumn("groups", [_groups(tests) for tests in shown], "left", long=True),
    ]
    caption = (
        "p-values after Holm's correction over all pairs of all metrics of the track, by which groups go, too; "
        "in the metric alone: over its own pairs. None comes from resamples.\n"
        "Groups: going down the values, a team joins the group before it unless it is told apart from the best of it; "
        "others of two groups may not be told apart."
    )
    return Folding(columns, keys=2, caption=caption)


def _untested(boards: Mapping[str, Board], comparison: TrackComparison) -> Iterator[str]:
    """Which metrics have no test, once per reason."""
    reasons: dict[str, list[str]] = {}
    for name, board in comparison.boards.items():
        for key, tests in board.tests.items():
            if tests.test is None and tests.reason is not None:
                title = boards[name].metrics[key].title or key
                reasons.setdefault(tests.reason, []).append(f"{title} of {name}")
    for reason, concerned in reasons.items():
        yield f"Not tested: {', '.join(concerned)}. {reason}"


def _groups(tests: MetricTests) -> Text:
    groups: dict[int, list[str]] = {}
    for team, group in tests.groups.items():
        groups.setdefault(group, []).append(team)
    return Text("; ".join(f"{number}: {', '.join(groups[number])}" for number in sorted(groups)))
