"""How sure a ranking is, as tables."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from evaluator.comparison import MetricTests, TeamPlace, TrackComparison
from evaluator.terminal import Console


def print_comparison(console: Console, track: str, comparison: TrackComparison) -> None:
    """Places with intervals, chances and groups; tests per metric; what one team's absence would change."""
    title = Text.assemble((f"{track} track: how sure the places are", "bold"))
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, caption_justify="left")
    for heading in ("#", "team", f"{comparison.level:.0%} interval", "first in", "top 3 in", "group"):
        table.add_column(heading, justify="left" if heading == "team" else "right")
    for place in comparison.overall:
        table.add_row(*_place(place, comparison.replicates))
    table.caption = _caption(comparison)
    console.print(table)
    console.print(_tests(comparison))
    for absent in comparison.leave_one_out:
        for pair in absent.reordered:
            console.print(Text(f"Without {absent.team}: {pair.sentence()}."))
    for note in comparison.notes:
        console.print(Text(note, style="dim"))


def _place(row: TeamPlace, replicates: int) -> list[Text]:
    if row.low is None or row.high is None or row.first is None or row.top3 is None:
        return [Text(str(row.place)), Text(row.team), *(Text("–") for _ in range(4))]
    return [
        Text(str(row.place), style="bold"),
        Text(row.team),
        Text(str(row.low) if row.low == row.high else f"{row.low}–{row.high}"),
        Text(f"{row.first * replicates:,.0f}"),
        Text(f"{row.top3 * replicates:,.0f}"),
        Text(str(row.group)),
    ]


def _caption(comparison: TrackComparison) -> str | None:
    if comparison.stability is None:
        return None
    stable = comparison.stability
    return (
        f"First in, top 3 in: of {comparison.replicates:,} resamples of the cases; teams that tie all count.\n"
        f"Group: the order with the group's best is the same in less than {(1 + comparison.level) / 2:.1%} of them; "
        "other pairs are not compared.\n"
        f"Kendall's tau with the full ranking {stable.mean:.2f} ({stable.low:.2f} to {stable.high:.2f}); the winner "
        f"stays in {stable.same_winner * comparison.replicates:,.0f}."
    )


def _tests(comparison: TrackComparison) -> Table:
    table = Table(
        "board", "metric", "test", "units", "pairs told apart", "groups, best first", box=SIMPLE_HEAD
    )
    for name, board in comparison.boards.items():
        for metric, tests in board.tests.items():
            if tests.test is None:
                table.add_row(name, metric, Text(tests.reason or "", style="dim"))
                continue
            apart = sum(pair.adjusted <= 1 - comparison.level for pair in tests.pairs)
            table.add_row(
                name, metric, tests.test, str(tests.units), f"{apart} of {len(tests.pairs)}", _groups(tests)
            )
    table.caption = "p-values after Holm's correction over all pairs of a metric; none comes from resamples."
    table.caption_justify = "left"
    return table


def _groups(tests: MetricTests) -> Text:
    groups: dict[int, list[str]] = {}
    for team, group in tests.groups.items():
        groups.setdefault(group, []).append(team)
    return Text(" > ".join(", ".join(groups[number]) for number in sorted(groups)))
