"""The report's page: a section per track, in it the places and a section per board."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evaluator.calibration import CalibrationFile
from evaluator.charts import STYLES, Picture, mark
from evaluator.comparison import (
    Entrant,
    TrackComparison,
    awarded,
    bootstraps_of,
    compare_track,
    datasets_of,
    rows_of,
)
from evaluator.ranking import rank
from evaluator.report._board import Section, section_of
from evaluator.report._calibrated import intervals_covered, places_covered, refuse_other
from evaluator.report._entries import entries_of
from evaluator.report._missing import without_report
from evaluator.report._pairs import LEVEL
from evaluator.report._parts import Figure
from evaluator.report._places import Places, places_of
from evaluator.report._spoken import spoken_of
from evaluator.spec import Bootstrap, Challenge
from evaluator.version import evaluator_version

_TEMPLATES = Environment(
    loader=PackageLoader("evaluator.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals |= {"mark": mark, "picture_styles": Markup(STYLES)}  # noqa: S704 - a file of this package


@dataclass(frozen=True)
class _Track:
    name: str
    places: Places | None
    boards: Sequence[Section]
    comparison: TrackComparison | None

    def figures(self) -> Iterator[tuple[str, str]]:
        """Its drawings as SVG files, by names that may be those of files."""
        of_places = [] if self.places is None else [self.places.plot, self.places.weights]
        for picture in filter(None, of_places):
            yield f"{self.name}-{picture.name}", picture.svg_file()
        for board in self.boards:
            groups = () if board.groups is None else (plot for plot, _ in board.groups.variables)
            maps = (significance.picture for significance in board.maps)
            drawn: tuple[Figure | Picture, ...] = (*board.plots, *board.spreads, *groups, *maps)
            for number, one in enumerate(drawn, 1):
                yield f"{board.anchor}-{number}", one.svg_file()


@dataclass(frozen=True)
class Documents:
    """What is told of results: the page, its plots as SVG files by name, and by track how sure the ranking is."""

    page: str
    figures: Mapping[str, str]
    comparisons: Mapping[str, TrackComparison]


def render(
    challenge: Challenge,
    entrants: Mapping[str, Sequence[Entrant]],
    calibration: CalibrationFile | None = None,
) -> str:
    """The page of `documents`."""
    return documents(challenge, entrants, calibration).page


def documents(
    challenge: Challenge,
    entrants: Mapping[str, Sequence[Entrant]],
    calibration: CalibrationFile | None = None,
) -> Documents:
    """One HTML document about all tracks that have reports, and its parts. The same reports give the same text.

    It loads nothing: the style sheet and every plot are inside.

    Args:
        challenge: whose results these are.
        entrants: the teams of each track, as `evaluator.comparison.read_entrants` finds them.
        calibration: how often the intervals and places of these reports hold, if that was simulated.

    Raises:
        evaluator.ranking.RankingError: a calibration of other reports, reports of one board that are of
            different datasets or made with different bootstraps, or a rule over single cases and reports without them.
    """
    tracks = {
        track: reported
        for track in challenge.tracks
        if (reported := [entrant for entrant in entrants.get(track, ()) if entrant.reports])
    }
    every = [entrant for reported in tracks.values() for entrant in reported]
    datasets_of(every)
    if calibration is not None:
        refuse_other(calibration, challenge, entrants)
    scored = _as_scored(challenge, bootstraps_of(every))
    reported_boards = {board for entrant in every for board in entrant.reports}
    told = [_track(scored, track, reported, calibration) for track, reported in tracks.items()]
    page = _TEMPLATES.get_template("page.html").render(
        challenge=challenge,
        version=evaluator_version(),
        entries=len(every),
        reports=sum(len(entrant.reports) for entrant in every),
        spoken_of=spoken_of([scored.boards[board] for board in scored.boards if board in reported_boards]),
        tracks=told,
    )
    return Documents(
        page=page,
        figures={name: drawn for track in told for name, drawn in track.figures()},
        comparisons={track.name: track.comparison for track in told if track.comparison is not None},
    )


def _as_scored(challenge: Challenge, bootstraps: Mapping[str, Bootstrap]) -> Challenge:
    """The challenge with the levels and draws of its reports: the file may have changed after they were made."""
    boards = {
        name: board.model_copy(update={"bootstrap": bootstraps.get(name, board.bootstrap)})
        for name, board in challenge.boards.items()
    }
    return challenge.model_copy(update={"boards": boards})


def _track(
    challenge: Challenge, track: str, entrants: Sequence[Entrant], calibration: CalibrationFile | None
) -> _Track:
    ranked = rank(challenge.ranking, challenge.boards, rows_of(track, entrants)).tracks.get(track, ())
    comparison = None
    if any(standing.placement is not None for standing in ranked):
        comparison = compare_track(challenge.ranking, challenge.boards, entrants, level=LEVEL)
        ranked = awarded(ranked, comparison)
    sections = [
        section_of(
            challenge.boards[board],
            f"{track}-{board}",
            entries_of(entrants, board),
            {} if comparison is None else comparison.boards[board].tests,
            without=without_report(challenge.ranking, board, entrants, ranked),
            covered=()
            if calibration is None
            else list(intervals_covered(calibration, track, board, challenge.boards[board])),
        )
        for board in challenge.boards
        if any(board in entrant.reports for entrant in entrants)
    ]
    places = places_of(challenge, ranked, comparison) if ranked else None
    if places is not None and calibration is not None:
        places = replace(places, covered=list(places_covered(calibration, track)))
    return _Track(track, places, sections, comparison)
