"""How sure a ranking is, as tables."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from evaluator.comparison import MetricTests, RankLead, TeamPlace, TrackComparison
from evaluator.terminal import Console


def print_comparison(console: Console, track: str, comparison: TrackComparison) -> None:
    """Places with what cannot be excluded and with chances; tests per metric; what one team's absence would change."""
    title = Text.assemble((f"{track} track: how sure the places are", "bold"))
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, caption_justify="left")
    level = f"{comparison.level:.0%}"
    headings = (
        "#",
        "team",
        f"{level} of all",
        f"{level} alone",
        "top 3",
        "group",
        "resampled",
        "first in",
        "top 3 in",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "team" else "right")
    for place in comparison.overall:
        table.add_row(*_place(place, comparison.replicates))
    table.caption = _caption(comparison)
    console.print(table)
    if (sentence := _lead_sentence(comparison)) is not None:
        console.print(Text(sentence))
    console.print(_tests(comparison))
    for sentence in () if comparison.prizes is None else comparison.prizes.sentences():
        console.print(Text(sentence))
    console.print(Text(weights_sentence(comparison)))
    for absent in comparison.leave_one_out:
        for pair in absent.reordered:
            console.print(Text(f"Without {absent.team}: {pair.sentence()}."))
    for note in comparison.notes:
        console.print(Text(note, style="dim"))


def _place(row: TeamPlace, replicates: int) -> list[Text]:
    return [
        Text(str(row.place), style="bold"),
        Text(row.team),
        Text(_span(row.low, row.high), style="bold" if row.winner else ""),
        Text(_span(row.alone_low, row.alone_high)),
        Text(row.among_three or "–"),
        Text("–" if row.group is None else str(row.group)),
        Text(_span(row.range_low, row.range_high)),
        *(Text("–" if share is None else f"{share * replicates:,.0f}") for share in (row.first, row.top3)),
    ]


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


def _tests(comparison: TrackComparison) -> Table:
    table = Table(
        "board",
        "metric",
        "test",
        "units",
        "pairs told apart",
        "in the metric alone",
        "groups",
        box=SIMPLE_HEAD,
    )
    for name, board in comparison.boards.items():
        for metric, tests in board.tests.items():
            if tests.test is None:
                table.add_row(name, metric, Text(tests.reason or "", style="dim"))
                continue
            apart = sum(pair.apart(comparison.level) for pair in tests.pairs)
            alone = sum(pair.adjusted <= 1 - comparison.level for pair in tests.pairs)
            told = f"{apart} of {len(tests.pairs)}"
            table.add_row(name, metric, tests.test, str(tests.units), told, str(alone), _groups(tests))
    table.caption = (
        "p-values after Holm's correction over all pairs of all metrics of the track, by which groups go, too; "
        "in the metric alone: over its own pairs. None comes from resamples.\n"
        "Groups: going down the values, a team joins the group before it unless it is told apart from the best of it; "
        "others of two groups may not be told apart."
    )
    table.caption_justify = "left"
    return table


def _groups(tests: MetricTests) -> Text:
    groups: dict[int, list[str]] = {}
    for team, group in tests.groups.items():
        groups.setdefault(group, []).append(team)
    return Text("; ".join(f"{number}: {', '.join(groups[number])}" for number in sorted(groups)))
