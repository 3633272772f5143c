"""What was promised and how often it held, as tables."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from evaluator.calibration import (
    ALLOWED,
    CalibrationFile,
    IntervalCoverage,
    PlacesCoverage,
    Pooled,
    Promised,
    Unchecked,
    by_metric,
)
from evaluator.interval_methods import CALLED
from evaluator.terminal import Console

_FILE_WIDTH = 100
_MARKS = {"kept": "", "unclear": "?", "few": "~", "other": "≠", "short": "!"}
_STYLES = {"short": "bold red", "other": "bold red", "few": "yellow", "unclear": "yellow"}
_AGAIN = "percentile: such intervals were made before each metric had a way of its own: score again with this version."
_SHORT = (
    "!: it holds less often than it says. Give the covered share beside it and do not call it {level}, or score more "
    "cases."
)
_NONE = "none: the share of simulated datasets without an interval, or a value; what was covered is of the others."
_UNCLEAR = "?: below {floor:.2g}, but within twice the error of this simulation: more --datasets tell."
_FEW = (
    "~: too few independent cases decide. The simulation draws from what was seen of them, so it is too kind and "
    "cannot tell:"
)
_OTHER = (
    "≠: what was published is not what is simulated, so this coverage is not that of it. Score again and take the "
    "report as it comes:"
)
_NEARLY_TIED = (
    "Nearly tied: values drawn together by what chance explains of their distances. Range of resamples: no confidence "
    "set, and it promises nothing."
)


def print_calibration(found: CalibrationFile) -> None:
    """A row for each metric, over all its teams, and for each set of places."""
    console = Console(file_width=_FILE_WIDTH)
    pooled = by_metric(found.intervals)
    if pooled:
        datasets = found.intervals[0].datasets
        console.print(
            Text(f"Intervals: how often they hold the truth, of {datasets:,} datasets each", "bold")
        )
        console.print(_intervals(pooled))
    if found.places:
        seasons = found.places[0].seasons
        console.print(Text(f"Places: how often the sets hold the true ones, of {seasons:,} seasons", "bold"))
        console.print(_places(found.places))
        console.print(Text(_NEARLY_TIED, "dim"))
    for sentence in _advice(pooled, found):
        console.print(Text(sentence))
    for one in found.unchecked:
        console.print(Text(_left_out(one)))
    for note in (*_taken(found.intervals), *found.notes):
        console.print(Text(note, style="dim"))


def _left_out(one: Unchecked) -> str:
    track = f"{one.track} track, " if one.track else ""
    teams = f" ({', '.join(one.teams)})" if one.teams else ""
    where = f"{one.metric or 'places'} of {one.board or 'all boards'}"
    return f"Not simulated: {track}{where}{teams}: {one.reason.removesuffix('.')}."


def _intervals(pooled: Sequence[Pooled]) -> Table:
    tracks = len({rows[0].track for _, rows in pooled}) > 1
    several = any(len(rows) > 1 for _, rows in pooled)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    lacking = any(row.without for _, rows in pooled for row in rows)
    headings = ("track", "board", "metric", "n", "way", "says", "covered", "", "none", "lowest of a team")
    shown = [
        heading for heading in headings[not tracks : None if several else -1] if lacking or heading != "none"
    ]
    for heading in shown:
        table.add_column(heading, justify="right" if heading in ("n", "says", "covered", "none") else "left")
    for promised, rows in pooled:
        least, sizes = min(rows, key=lambda row: row.covered), sorted({row.subjects for row in rows})
        cells = [
            Text(rows[0].track),
            Text(rows[0].board),
            Text(rows[0].metric),
            Text(f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,}–{sizes[-1]:,}"),
            Text(CALLED[rows[0].way]),
            *_covered(promised),
            *([Text(_without(rows))] if lacking else []),
            Text(" ".join(filter(None, [f"{least.covered:.3f}", _MARKS[least.verdict], least.team]))),
        ]
        table.add_row(*cells[not tracks : None if several else -1])
    return table


def _without(rows: Sequence[IntervalCoverage]) -> str:
    """The share of datasets that had no interval, over all teams."""
    share = sum(row.without for row in rows) / sum(row.datasets for row in rows)
    return f"{share:.3f}" if share else ""


def _covered(row: Promised) -> list[Text]:
    says = "–" if row.level is None else f"{row.level:.2f}"
    style = _STYLES.get(row.verdict, "")
    return [Text(says), Text(f"{row.covered:.3f} ± {row.error:.3f}", style), Text(_MARKS[row.verdict], style)]


def _places(rows: Sequence[PlacesCoverage]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    tracks = len({row.track for row in rows}) > 1
    for heading in (*(["track"] if tracks else []), "board", "set"):
        table.add_column(heading)
    table.add_column("says", justify="right")
    for distance in ("teams as observed", "nearly tied"):
        table.add_column(distance, justify="right")
        table.add_column("")
    pairs: dict[tuple[str, str | None, str], dict[str, PlacesCoverage]] = {}
    for row in rows:
        pairs.setdefault((row.track, row.board, row.promise), {})[row.distance] = row
    for (track, board, promise), both in pairs.items():
        cells = [cell for distance in ("as observed", "nearly tied") for cell in _covered(both[distance])[1:]]
        says = _covered(both["as observed"])[0]
        table.add_row(*([track] if tracks else []), board or "all boards", promise, says, *cells)
    return table


def _advice(pooled: Sequence[Pooled], found: CalibrationFile) -> Iterator[str]:
    rows: list[Promised] = [*(one for one, _ in pooled), *found.places]
    verdicts = {row.verdict for row in rows} | {
        row.verdict for row in found.intervals if row.verdict == "short"
    }
    level = next((row.level for row in rows if row.verdict != "kept" and row.level is not None), 0.95)
    if any(row.way == "percentile" for row in found.intervals):
        yield _AGAIN
    if "short" in verdicts:
        yield _SHORT.format(level=f"{level:.0%}")
    if "unclear" in verdicts:
        yield _UNCLEAR.format(floor=level - ALLOWED)
    if any(row.without for row in found.intervals):
        yield _NONE
    for sentence, said in ((_FEW, list(_doubts(pooled, found))), (_OTHER, list(_differences(found)))):
        if said:
            yield sentence
            yield from (f"  {one}" for one in dict.fromkeys(said))


def _doubts(pooled: Sequence[Pooled], found: CalibrationFile) -> Iterator[str]:
    """For each metric the first team's, and how many more have one; of places what no interval was simulated of."""
    named = set()
    for promised, rows in pooled:
        if promised.doubts:
            named.add((rows[0].metric, rows[0].board))
            more = f" (and {len(promised.doubts) - 1} more)" if len(promised.doubts) > 1 else ""
            team, _, doubt = promised.doubts[0].partition(": ")
            yield f"{rows[0].metric} of {rows[0].board}, {team}{more}: {doubt}."
    for row in found.places:
        for doubt in row.doubts:
            if not any(doubt.startswith(f"{metric} of {board} (") for metric, board in named):
                yield f"{doubt}."


def _differences(found: CalibrationFile) -> Iterator[str]:
    for row in found.intervals:
        for sentence in row.differs:
            yield f"{row.metric} of {row.board}, {row.team}: {sentence}."


def _taken(intervals: Sequence[IntervalCoverage]) -> Iterator[str]:
    """What each world is and what was taken for granted, once per sentence."""
    said: dict[str, dict[str, None]] = {}
    for row in intervals:
        for sentence in row.world:
            said.setdefault(sentence, {})[f"{row.metric} of {row.board}"] = None
    for sentence, where in said.items():
        yield f"{sentence[0].upper()}{sentence[1:]} ({', '.join(where)})."
