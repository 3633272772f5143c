"""The report's page: a section per track, in it the places and a section per board."""

from collections.abc import Mapping, Sequence
from html import escape

from evaluator.comparison import Entrant, compare_track, datasets_of, rows_of
from evaluator.ranking import rank
from evaluator.report import _board
from evaluator.report._entries import entries_of
from evaluator.report._html import page
from evaluator.report._places import places_of
from evaluator.spec import Challenge
from evaluator.version import evaluator_version


def render(challenge: Challenge, entrants: Mapping[str, Sequence[Entrant]]) -> str:
    """One HTML document about all tracks that have reports. The same reports give the same text.

    Args:
        challenge: whose results these are.
        entrants: the teams of each track, as `evaluator.comparison.read_entrants` finds them.

    Raises:
        evaluator.ranking.RankingError: reports of one board that are of different datasets, or a rule over
            single cases and reports without them.
    """
    tracks = {
        track: found
        for track in challenge.tracks
        if (found := [one for one in entrants.get(track, ()) if one.reports])
    }
    datasets_of([one for found in tracks.values() for one in found])
    body = [_header(challenge, tracks)]
    body += [_track(challenge, track, found) for track, found in tracks.items()]
    body.append(_footer(challenge))
    return page(f"{challenge.title}: results", "".join(body))


def _boards(challenge: Challenge, entrants: Sequence[Entrant]) -> list[str]:
    return [name for name in challenge.boards if any(name in one.reports for one in entrants)]


def _header(challenge: Challenge, tracks: Mapping[str, Sequence[Entrant]]) -> str:
    teams = sum(map(len, tracks.values()))
    reports = sum(len(one.reports) for found in tracks.values() for one in found)
    links = "".join(
        f'<li><a href="#{track}">{escape(track)}: places</a></li>'
        + "".join(
            f'<li><a href="#{track}-{name}">{escape(challenge.boards[name].title)}</a></li>'
            for name in _boards(challenge, found)
        )
        for track, found in tracks.items()
    )
    said = f"<p>{escape(challenge.description)}</p>" if challenge.description else ""
    return (
        f"<header><h1>{escape(challenge.title)}: results</h1>{said}"
        f'<p class="quiet">{reports} reports of {teams} entries. An interval says how far a number moves when other '
        "test cases of the same kind are drawn. It does not speak of other hospitals, other scanners or another "
        "training of the model.</p>"
        f"<nav><ul>{links}</ul></nav></header>\n<main>"
    )


def _footer(challenge: Challenge) -> str:
    return (
        f'</main><footer class="facts"><p>Challenge {escape(challenge.challenge)}, version {challenge.digest}. '
        f"Evaluator {escape(evaluator_version())}.</p></footer>"
    )


def _track(challenge: Challenge, track: str, entrants: Sequence[Entrant]) -> str:
    ranked = rank(challenge.ranking, challenge.boards, rows_of(track, entrants)).tracks.get(track, ())
    comparison = None
    if any(one.placement is not None for one in ranked):
        comparison = compare_track(challenge.ranking, challenge.boards, entrants, level=_board.LEVEL)
    parts = [f'<section class="track" id="{track}"><h2>Track {escape(track)}</h2>']
    if ranked:
        parts.append(places_of(challenge, ranked, comparison))
    for name in _boards(challenge, entrants):
        tests = None if comparison is None else comparison.boards[name].tests
        parts.append(_board.section(challenge, track, name, entries_of(entrants, name), tests or {}))
    return "".join([*parts, "</section>\n"])
