"""The places of one track, how sure they are, and what would change them."""

from collections.abc import Sequence
from html import escape

from evaluator.comparison import TeamPlace, TrackComparison
from evaluator.ranking import Standing
from evaluator.report._html import Cell, figure, table
from evaluator.report._svg import Interval, interval_plot
from evaluator.spec import Challenge


def places_of(challenge: Challenge, found: Sequence[Standing], comparison: TrackComparison | None) -> str:
    """Places and ranks; with a comparison also their intervals, groups and what would change them."""
    sure = {} if comparison is None else {one.team: one for one in comparison.overall if one.low is not None}
    shown = _table(found, sure, comparison)
    changes = (
        "" if comparison is None else _stability(comparison) + _left_out(comparison) + _rules(comparison)
    )
    return f"<h3>Places</h3>{shown}{_plot(found, sure, comparison)}{_board_ranks(challenge, found)}{changes}"


def _table(found: Sequence[Standing], sure: dict[str, TeamPlace], comparison: TrackComparison | None) -> str:
    head, text = ["Team", "Place"], ""
    if sure and comparison is not None:
        head += [f"Places in {comparison.level:.0%}", "P(first)", "P(top 3)", "Group"]
        text = (
            "<p>Teams in the same group cannot be told apart: the order between them changed in more than "
            f"{(1 - comparison.level) / 2:.1%} of the resamples.</p>"
        )
    rows = [_standing(one, sure) for one in found]
    styles = ["baseline" if one.baseline else "" for one in found]
    notes = () if comparison is None else comparison.notes
    said = "".join(f'<p class="quiet">{escape(note)}</p>' for note in notes)
    return (
        text + table([*head, "Overall"], rows, caption="Places and how sure they are", styles=styles) + said
    )


def _standing(one: Standing, sure: dict[str, TeamPlace]) -> list[Cell]:
    place = "–" if one.placement is None else f"<b>{one.placement}</b>"
    row: list[Cell] = [_name(one), place, *(_sureness(sure.get(one.team)) if sure else [])]
    return [*row, "–" if one.overall is None else f"{one.overall:.2f}"]


def _name(one: Standing) -> str:
    return escape(one.team) + (" (baseline)" if one.baseline else "")


def _sureness(place: TeamPlace | None) -> list[Cell]:
    if place is None:
        return ["–"] * 4
    spread = f"{place.low}" if place.low == place.high else f"{place.low} to {place.high}"
    return [spread, f"{place.first:.1%}", f"{place.top3:.1%}", str(place.group)]


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
        f"Dot: the place. Line: the central {comparison.level:.0%} of the places in paired resamples of the "
        "test cases.",
    )


def _board_ranks(challenge: Challenge, found: Sequence[Standing]) -> str:
    boards = [name for name in challenge.boards if any(_scored(one, name) for one in found)]
    ranked = [one for one in found if not one.baseline]
    rows: list[list[Cell]] = [
        [_name(one), *("–" if place is None else f"{place:.4g}" for place in map(one.task_ranks.get, boards))]
        for one in ranked
    ]
    head = ["Team", *(escape(challenge.boards[name].title) for name in boards)]
    return table(head, rows, caption="Rank on each board")


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
        f"{found.same_winner:.1%}",
    ]
    caption = f"Rankings of the resamples against the full one: mean and central {comparison.level:.0%}"
    head = ["Resamples", "Kendall's tau", "Winner stays"]
    return f"<h4>Stability</h4>{table(head, [row], caption=caption)}"


def _left_out(comparison: TrackComparison) -> str:
    if len(comparison.overall) < 3:
        return ""
    rows: list[list[Cell]] = [
        [
            escape(absent.team),
            escape("; ".join(_change(*pair.teams, pair.before, pair.after) for pair in absent.reordered)),
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


def _change(one: str, other: str, before: str | None, after: str | None) -> str:
    if after is None:
        return f"{one} and {other} tie ({before} was ahead)"
    behind = other if after == one else one
    return f"{after} is ahead of {behind} ({'they tied' if before is None else f'{before} was ahead'})"


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
            rows.append([escape(variant.change), tau, escape("; ".join(moved))])
        else:
            same.append(variant.change)
    caption = "Places that change if the rule differs in one point, and Kendall's tau with the places above"
    said = table(["Rule", "Kendall's tau", "Places"], rows, caption=caption, kind="wordy") if rows else ""
    if same:
        said += f'<p class="quiet">No place changes under: {escape("; ".join(same))}.</p>'
    return f"<h4>Under other rules</h4>{said}"
