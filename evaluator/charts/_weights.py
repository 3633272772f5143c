"""Who is first under other weights of the boards."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.charts._marks import SHAPES, drawing, number, rect, shortened, text, tick, told, width
from evaluator.charts._picture import Picture
from evaluator.charts._scale import WIDTH, is_drawn

_MOST = 6  # named; the others are drawn as one
_LEFT, _RIGHT = 8, 8
_BAR = 34


@dataclass(frozen=True)
class FirstShare:
    """In how much of the weights a team is first, from 0 to 1; a tie counts for each, so that shares may exceed 1."""

    team: str
    share: float


def weights(
    shares: Sequence[FirstShare], *, title: str = "First under other weights", name: str = "weights"
) -> Picture:
    """One bar, cut in as many parts as teams are first under some weights; the largest part comes first."""
    ordered = sorted(
        (one for one in shares if is_drawn(one.share) and one.share > 0),
        key=lambda one: (-one.share, one.team),
    )
    parts = [(one.team, one.share) for one in ordered[:_MOST]]
    if ordered[_MOST:]:
        named = ordered[_MOST].team if len(ordered) == _MOST + 1 else f"{len(ordered) - _MOST:,} others"
        parts.append((named, sum(one.share for one in ordered[_MOST:])))
    total = sum(share for _, share in parts) or 1.0
    body, x, room = [], float(_LEFT), WIDTH - _LEFT - _RIGHT
    for place, (team, share) in enumerate(parts):
        wide = room * share / total
        body.append(told(f"{team}: {share:.1%}", _part(place, team, x, wide, last=place == _MOST)))
        x += wide
    body += [tick(_LEFT + room * part / 100, 8 + _BAR + 12, f"{part} %") for part in (0, 25, 50, 75, 100)]
    top = 8 + _BAR + 30
    for place, (team, share) in enumerate(parts):
        body += _line(place, team, share, top + place * 20)
    if not parts:
        body.append(text(WIDTH / 2, 8 + _BAR / 2, "not known", "middle quiet"))
    description = "; ".join(f"{one.team} is first under {one.share:.1%}" for one in ordered[:10])
    description = (
        f"{description} of the weights." if ordered else "It is not known who is first under other weights."
    )
    return Picture(
        name=name,
        title=title,
        description=description,
        reading=(
            "The bar is all weights around the declared ones, drawn at random with the declared weights as their mean "
            "and with equal weights all others alike; a team's part of it is how much of them makes it first, and a "
            "tie counts for each."
        ),
        svg=drawing(title, description, top + len(parts) * 20, body),
        header=("Team", "Share of the weights that make it first"),
        values=tuple((one.team, one.share) for one in sorted(shares, key=_order)),
    )


def _order(one: FirstShare) -> tuple[float, str]:
    return (-one.share if is_drawn(one.share) else 1.0), one.team


def _style(place: int) -> str:
    return "over" if place == _MOST else f"series{place % len(SHAPES) + 1}"


def _part(place: int, team: str, x: float, wide: float, *, last: bool) -> list[str]:
    drawn = [rect(x + 0.75, 8, wide - 1.5, _BAR, _style(place))]
    middle = x + wide / 2
    inside = "middle strong" if last else "inside"
    if wide > 60:
        drawn.append(
            text(middle, 8 + _BAR / 2, shortened(f"{place + 1} {team}", wide - 10, strong=True), inside)
        )
    elif wide > width("8") + 6:
        drawn.append(text(middle, 8 + _BAR / 2, f"{place + 1}", inside))
    return drawn


def _line(place: int, team: str, share: float, y: float) -> list[str]:
    """The name and share of a part, with the part's number in its colour."""
    mark = rect(_LEFT + 1, y - 7, 14, 14, _style(place))
    inside = "middle strong" if place == _MOST else "inside"
    said = f"{share:.1%}"
    return [
        f'<g data-share="{number(100 * share)}">{mark}{text(_LEFT + 8, y, f"{place + 1}", inside)}</g>',
        text(_LEFT + 24, y, said, "strong"),
        text(_LEFT + 24 + width("100.0% ", strong=True), y, shortened(team, 330), "start"),
    ]
