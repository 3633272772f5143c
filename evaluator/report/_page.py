"""The report's page: a section per track, in it the places and a section per board."""

from collections.abc import Sequence
from html import escape

from evaluator.ranking import Standing
from evaluator.report import _board
from evaluator.report._analysis import LEVEL, Place, by_board, places, standings
from evaluator.report._html import Cell, figure, page, table
from evaluator.report._read import Entry
from evaluator.report._svg import Interval, interval_plot
from evaluator.spec import Challenge
from evaluator.version import evaluator_version


def render(challenge: Challenge, entries: Sequence[Entry]) -> str:
    """One HTML document about all tracks that have entries. The same reports give the same text."""
    tracks = [track for track in challenge.tracks if any(one.track == track for one in entries)]
    body = [_header(challenge, entries, tracks)]
    body += [_track(challenge, track, [one for one in entries if one.track == track]) for track in tracks]
    body.append(_footer(challenge))
    return page(f"{challenge.title}: results", "".join(body))


def _header(challenge: Challenge, entries: Sequence[Entry], tracks: Sequence[str]) -> str:
    teams = len({(one.track, one.team) for one in entries})
    links = "".join(
        f'<li><a href="#{track}">{escape(track)}: places</a></li>'
        + "".join(
            f'<li><a href="#{track}-{name}">{escape(challenge.boards[name].title)}</a></li>'
            for name in dict.fromkeys(one.board for one in entries if one.track == track)
        )
        for track in tracks
    )
    said = f"<p>{escape(challenge.description)}</p>" if challenge.description else ""
    return (
        f"<header><h1>{escape(challenge.title)}: results</h1>{said}"
        f'<p class="quiet">{len(entries)} reports of {teams} entries. Intervals are the central {LEVEL:.0%} of '
        "resamples of the test cases.</p>"
        f"<nav><ul>{links}</ul></nav></header>\n<main>"
    )


def _footer(challenge: Challenge) -> str:
    return (
        f'</main><footer class="facts"><p>Challenge {escape(challenge.challenge)}, version {challenge.digest}. '
        f"Evaluator {escape(evaluator_version())}.</p></footer>"
    )


def _track(challenge: Challenge, track: str, entries: Sequence[Entry]) -> str:
    found, sure = standings(challenge, entries), places(challenge, entries)
    parts = [f'<section class="track" id="{track}"><h2>Track {escape(track)}</h2>']
    if found:
        parts.append(_places(challenge, found, sure))
    parts += [_board.section(challenge, track, board, part) for board, part in by_board(entries).items()]
    return "".join([*parts, "</section>\n"])


def _places(challenge: Challenge, found: Sequence[Standing], sure: dict[str, Place]) -> str:
    head = ["Team", "Place"]
    head += [f"Places in {LEVEL:.0%}", "P(first)", "P(top 3)", "Group"] if sure else []
    rows = [_standing(one, sure) for one in found]
    styles = ["baseline" if one.baseline else "" for one in found]
    text = (
        "<p>Teams in the same group cannot be told apart: the order between them changed in more than "
        f"{(1 - LEVEL) / 2:.1%} of the resamples.</p>"
        if sure
        else ""
    )
    shown = table([*head, "Overall"], rows, caption="Places and how sure they are", styles=styles)
    return f"<h3>Places</h3>{text}{shown}{_place_plot(found, sure)}{_board_ranks(challenge, found)}"


def _standing(one: Standing, sure: dict[str, Place]) -> list[Cell]:
    place = "–" if one.placement is None else f"<b>{one.placement}</b>"
    row: list[Cell] = [_name(one), place, *(_sureness(sure.get(one.team)) if sure else [])]
    return [*row, "–" if one.overall is None else f"{one.overall:.2f}"]


def _name(one: Standing) -> str:
    return escape(one.team) + (" (baseline)" if one.baseline else "")


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


def _sureness(place: Place | None) -> list[Cell]:
    if place is None:
        return ["–"] * 4
    spread = f"{place.low}" if place.low == place.high else f"{place.low} to {place.high}"
    return [spread, f"{place.first:.1%}", f"{place.top_three:.1%}", str(place.group)]


def _place_plot(found: Sequence[Standing], sure: dict[str, Place]) -> str:
    rows = [
        Interval(one.team, one.placement, sure[one.team].low, sure[one.team].high)
        for one in found
        if one.team in sure
    ]
    if not rows:
        return ""
    return figure(
        interval_plot("Place of each team with its interval", rows, whole=True),
        "Places",
        f"Dot: the place. Line: the central {LEVEL:.0%} of the places in paired resamples of the test cases.",
    )
