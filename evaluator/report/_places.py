"""The places of one track, how sure they are, and what would change them."""

from collections.abc import Sequence
from html import escape

from evaluator.comparison import TeamPlace, TrackComparison
from evaluator.ranking import Standing
from evaluator.report._html import Cell, figure, table
from evaluator.report._svg import Interval, interval_plot
from evaluator.spec import Challenge

_CHANGES = {
    "ties: min": "equal values share the first of their places",
    "ties: average": "equal values share the mean of their places",
    "ties: dense": "equal values share a place and the next one follows without a gap",
    "rerank_boards: true": "the mean of a board's metric ranks is ranked again",
    "rerank_boards: false": "the mean of a board's metric ranks is not ranked again",
    "missing_board: worst": "a board without a value counts as its last place",
    "missing_board: excluded": "a board without a value is left out of a team's mean",
    "round: null": "values are not rounded",
    "weights: equal": "all boards weigh the same",
    "method: mean_then_rank, per_case: mean": "the means of the cases are ranked",
    "method: mean_then_rank, per_case: median": "the medians of the cases are ranked",
    "method: rank_then_mean": "teams are ranked in each case, and the ranks averaged",
}


def _in_words(change: str) -> str:
    """A change of the rule for people, with the field of the challenge file."""
    words = _CHANGES.get(change)
    if words is None and change.startswith("round: "):
        words = f"values are rounded to {change.removeprefix('round: ')} decimals"
    return change if words is None else f"{words} ({change})"


def places_of(challenge: Challenge, found: Sequence[Standing], comparison: TrackComparison | None) -> str:
    """Places and ranks; with a comparison also their intervals, groups and what would change them."""
    sure = {} if comparison is None else {one.team: one for one in comparison.overall if one.low is not None}
    shown = _table(found, sure, comparison)
    changes = (
        "" if comparison is None else _stability(comparison) + _left_out(comparison) + _rules(comparison)
    )
    return f"<h3>Places</h3>{shown}{_plot(found, sure, comparison)}{_board_ranks(challenge, found)}{changes}"


def _table(found: Sequence[Standing], sure: dict[str, TeamPlace], comparison: TrackComparison | None) -> str:
    head, text, drawn = ["Team", "Place"], "", 0
    if sure and comparison is not None:
        drawn = comparison.replicates
        head += [
            f"Places in {comparison.level:.0%} of resamples",
            f"First in … of {drawn:,}",
            f"Top 3 in … of {drawn:,}",
            "Group",
        ]
        text = _reading(comparison)
    rows = [_standing(one, sure, drawn) for one in found]
    styles = ["baseline" if one.baseline else "" for one in found]
    notes = () if comparison is None else comparison.notes
    said = "".join(f'<p class="quiet">{escape(note)}</p>' for note in notes)
    return (
        table([*head, "Weighted mean rank"], rows, caption="Places and how sure they are", styles=styles)
        + text
        + said
    )


def _reading(comparison: TrackComparison) -> str:
    """How to read the table of places, exactly."""
    drawn = comparison.replicates
    return (
        f'<p class="quiet">The test cases were drawn anew {drawn:,} times and all teams ranked again each time. '
        "“First” and “top 3” count the draws in which a team had that place. Teams that tie all count, so a column "
        f"may add up to more than {drawn:,} and {3 * drawn:,}. It is not the probability of being the best.</p>"
        '<p class="quiet">Group: going down the places, a team joins the group above unless its order with the best '
        f"of that group is the same in at least {(1 + comparison.level) / 2:.1%} of the draws, a tie counting half. "
        "No other pairs are compared and nothing is corrected for the number of teams: two teams of one group may "
        "differ, and neighbours in two groups may not. The tests of each board are corrected for all pairs.</p>"
    )


def _standing(one: Standing, sure: dict[str, TeamPlace], drawn: int) -> list[Cell]:
    place = "–" if one.placement is None else f"<b>{one.placement}</b>"
    row: list[Cell] = [_name(one), place, *(_sureness(sure.get(one.team), drawn) if sure else [])]
    return [*row, "–" if one.overall is None else f"{one.overall:.2f}"]


def _name(one: Standing) -> str:
    marks = [("baseline", one.baseline), ("not eligible for prizes", not one.eligible and not one.baseline)]
    return escape(one.team) + "".join(f" ({mark})" for mark, holds in marks if holds)


def _sureness(place: TeamPlace | None, drawn: int) -> list[Cell]:
    if place is None or place.first is None or place.top3 is None:
        return ["–"] * 4
    spread = f"{place.low}" if place.low == place.high else f"{place.low} to {place.high}"
    return [spread, f"{place.first * drawn:,.0f}", f"{place.top3 * drawn:,.0f}", str(place.group)]


def _plot(found: Sequence[Standing], sure: dict[str, TeamPlace], comparison: TrackComparison | None) -> str:
    rows = [
        Interval(one.team, one.placement, sure[one.team].low, sure[one.team].high)
        for one in found
        if one.team in sure
    ]
    if not rows or comparison is None:
        return ""
    return figure(
        interval_plot("Place of each team with its interval", rows, whole=True),
        "Places",
        f"Dot: the place. Line: the central {comparison.level:.0%} of the places when test cases are drawn anew, "
        "the same ones for all teams.",
    )


def _board_ranks(challenge: Challenge, found: Sequence[Standing]) -> str:
    boards = [name for name in challenge.boards if any(_scored(one, name) for one in found)]
    ranked = [one for one in found if not one.baseline]
    rows: list[list[Cell]] = [
        [_name(one), *("–" if place is None else f"{place:.4g}" for place in map(one.task_ranks.get, boards))]
        for one in ranked
    ]
    head = ["Team", *(escape(challenge.boards[name].title) for name in boards)]
    return table(
        head,
        rows,
        caption="Rank on each board: the mean of its metric ranks, or their rank where the rule ranks again",
    )


def _scored(one: Standing, board: str) -> bool:
    return any(value is not None for value in one.values[board].values())


def _stability(comparison: TrackComparison) -> str:
    found = comparison.stability
    if found is None:
        return ""
    spread = f"{found.low:.2f} to {found.high:.2f}"
    row: list[Cell] = [
        f"{comparison.replicates:,}",
        f"{found.mean:.2f}<small>{spread}</small>",
        f"in {found.same_winner * comparison.replicates:,.0f}",
    ]
    caption = (
        f"Each resample's ranking against the one above. Kendall's tau, mean and central {comparison.level:.0%}: 1 is "
        "the same order, 0 no relation, −1 the reverse. Same winner: nobody else is first"
    )
    head = ["Resamples", "Kendall's tau", "Same winner"]
    return f"<h4>Stability</h4>{table(head, [row], caption=caption)}"


def _left_out(comparison: TrackComparison) -> str:
    if len(comparison.overall) < 3:
        return ""
    rows: list[list[Cell]] = [
        [
            escape(absent.team),
            escape("; ".join(pair.sentence() for pair in absent.reordered)),
        ]
        for absent in comparison.leave_one_out
        if absent.reordered
    ]
    said = (
        table(["Without", "Change"], rows, caption="Pairs whose order depends on a third team", kind="wordy")
        if rows
        else "<p>No two teams change order when any one other team is left out.</p>"
    )
    return f"<h4>Without one team</h4>{said}"


def _rules(comparison: TrackComparison) -> str:
    places = {one.team: one.place for one in comparison.overall}
    if len(places) < 2 or not comparison.sensitivity:
        return ""
    rows: list[list[Cell]] = []
    same: list[str] = []
    for variant in comparison.sensitivity:
        moved = [
            f"{team} {place} → {variant.places[team]}"
            for team, place in places.items()
            if variant.places[team] != place
        ]
        tau = "–" if variant.tau is None else f"{variant.tau:.2f}"
        if moved:
            rows.append([escape(_in_words(variant.change)), tau, escape("; ".join(moved))])
        else:
            same.append(_in_words(variant.change))
    caption = (
        "What the places would be if the rule differed in one point, and Kendall's tau with the places above"
    )
    said = table(["Rule", "Kendall's tau", "Places"], rows, caption=caption, kind="wordy") if rows else ""
    if same:
        said += f'<p class="quiet">No place changes under: {escape("; ".join(same))}.</p>'
    return f"<h4>Under other rules</h4>{said}"
