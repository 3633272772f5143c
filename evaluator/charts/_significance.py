"""Who is shown to be better than whom, as a matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluator.charts._marks import column, counted, dots, drawing, label, legend, more, number, text
from evaluator.charts._picture import Picture, Value
from evaluator.charts._scale import WIDTH

MOST_IN_MAP = 30
"""As many teams a significance map draws; its table has all pairs."""
_LINE = 16.5  # the least height of a row, for its name
_ROOM = 18  # of a number above a column; of narrower ones every fifth has its number
Order = Literal["ahead", "behind", "alike"]
_SAYS: Mapping[Order, str] = {"ahead": "ahead of", "behind": "behind", "alike": "not told apart from"}
_TURNED: Mapping[Order, Order] = {"ahead": "behind", "behind": "ahead", "alike": "alike"}


@dataclass(frozen=True)
class ComparedPair:
    """Whether a team is shown to be ahead of another one, behind it, or not told apart ("alike"); p as corrected."""

    team: str
    other: str
    order: Order
    p: float | None = None


def significance_map(
    teams: Sequence[str],
    pairs: Sequence[ComparedPair],
    *,
    level: float = 0.95,
    title: str = "Who is ahead of whom",
    name: str = "significance",
) -> Picture:
    """A square for each pair of `teams`, best first. A pair is given once and drawn both ways round."""
    known = {(pair.team, pair.other): pair.order for pair in pairs}
    known |= {(pair.other, pair.team): _TURNED[pair.order] for pair in pairs}
    drawn = teams[:MOST_IN_MAP]
    numbered = [f"{place} {team}" for place, team in enumerate(drawn, 1)]
    left = column(numbered, most=170)
    size = min(26.0, (WIDTH - left - 8) / max(len(drawn), 1))
    body, top = _legend(left)
    top += 20
    high = max(size, _LINE)
    body += _grid(left, top, size, high, len(drawn))
    for row, named in enumerate(numbered):
        if size >= _ROOM or row == 0 or row % 5 == 4:
            body.append(text(left + (row + 0.5) * size, top - 10, f"{row + 1}", "tick"))
        body.append(label(named, top + (row + 0.5) * high, left))
    body += _marks(known, drawn, (left, top), (size, high))
    height = top + len(drawn) * high + 8
    rest, room = more(len(teams), len(drawn), "team", left, height)
    description = _description(teams, pairs)
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            "Read along a row: a filled triangle upwards says that the team of the row is ahead of the team of the "
            f"column, an open triangle downwards that it is behind, both at p ≤ {1 - level:.2g} after correction for "
            "all pairs; a dot says that the two are not told apart, which does not prove them equal."
        ),
        svg=drawing(title, description, height + room, [*body, *rest]),
        header=("Team", "Is", "Other team", "p, corrected"),
        values=tuple(_table_row(pair) for pair in pairs),
    )


def _table_row(pair: ComparedPair) -> tuple[Value, ...]:
    return pair.team, _SAYS[pair.order], pair.other, pair.p


def _legend(left: float) -> tuple[list[str], float]:
    words: Mapping[Order, str] = {"ahead": "ahead", "behind": "behind", "alike": "not told apart"}
    entries = [(dots([(0, 0)], order, _stroke(order)), said) for order, said in words.items()]
    return legend(entries, min(left, 60), 0)


def _grid(left: float, top: float, wide: float, high: float, teams: int) -> list[str]:
    """The squares, those of a team with itself filled."""
    if not teams:
        return []
    steps, right, bottom = range(teams + 1), number(teams * wide), number(teams * high)
    lines = "".join(
        f"M{number(left)} {number(top + step * high)}h{right}M{number(left + step * wide)} {number(top)}v{bottom}"
        for step in steps
    )
    own = "".join(
        f"M{number(left + step * wide)} {number(top + step * high)}h{number(wide)}v{number(high)}h-{number(wide)}z"
        for step in range(teams)
    )
    return [f'<path class="self" d="{own}"/>', f'<path class="cell" d="{lines}"/>']


def _marks(
    known: Mapping[tuple[str, str], Order],
    teams: Sequence[str],
    corner: tuple[float, float],
    square: tuple[float, float],
) -> list[str]:
    """All marks of an order as one path, each begun at the middle of its square."""
    drawn = []
    for order in _SAYS:
        places = [
            (corner[0] + (column + 0.5) * square[0], corner[1] + (row + 0.5) * square[1])
            for row, team in enumerate(teams)
            for column, other in enumerate(teams)
            if team != other and known.get((team, other)) == order
        ]
        if places:
            marks = dots(places, order, _stroke(order, min(1.0, square[0] / 15)))
            drawn.append(f'<g data-order="{order}">{marks}</g>')
    return drawn


def _stroke(order: Order, scale: float = 1.0) -> str:
    half, high = number(4.5 * scale), number(8 * scale)
    twice = number(9 * scale)
    match order:
        case "ahead":
            return f"m0 -{number(4.5 * scale)}l{half} {high}h-{twice}z"
        case "behind":
            return f"m0 {number(4.5 * scale)}l{half} -{high}h-{twice}z"
    return "h.01"


def _description(teams: Sequence[str], pairs: Sequence[ComparedPair]) -> str:
    if not pairs:
        return "No two teams were compared."
    apart = [pair for pair in pairs if pair.order != "alike"]
    wins = dict.fromkeys(teams, 0)
    for pair in apart:
        better = pair.team if pair.order == "ahead" else pair.other
        wins[better] = wins.get(better, 0) + 1
    most = sorted(wins.items(), key=lambda item: -item[1])[:5]
    told_wins = "; ".join(f"{team} is ahead of {counted(won, 'team')}" for team, won in most if won)
    return f"{len(apart):,} of {counted(len(pairs), 'pair')} are told apart. {told_wins}{'.' if told_wins else ''}"
