"""Every interval and every set of places of a challenge's reports, simulated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluator.calibration._again import difference_of
from evaluator.calibration._coverage import covered, share_error
from evaluator.calibration._doubts import doubt_of, doubts_of
from evaluator.calibration._observed import ClassSizes, scored_cases, world_like
from evaluator.calibration._published import (
    CalibrationFile,
    Distance,
    IntervalCoverage,
    PlacesCoverage,
    Promise,
    Unchecked,
)
from evaluator.calibration._seasons import Held, Seasons, unsimulated
from evaluator.calibration._too_large import TOO_LARGE, too_large
from evaluator.calibration._worlds import Population, SignedErrors
from evaluator.comparison import Entrant, Track, bootstraps_of, datasets_of
from evaluator.metrics import NotScored
from evaluator.ranking import RankingError, rule_digest
from evaluator.resampling import seed_of
from evaluator.scoring import MetricReport, Report
from evaluator.spec import Challenge

LEVEL = 0.95
"""Of sets of places, as `rank` and the page show them."""

_NO_INTERVAL = "its report has no interval to check"
_UNKNOWN = "reports do not say how far a metric of it moves; score again to have influence values kept"
_FIXED = (
    "Where a metric has no influence values, or seeds are drawn with the cases, errors of places are those of the "
    "resamples and their spread is taken as known: {boards}."
)

Advance = Callable[[int], None]


def steps_of(entrants: Mapping[str, Sequence[Entrant]], datasets: int, *, places: bool) -> int:
    """How many steps `calibrate` tells of."""
    metrics = sum(len(report.metrics) for _, _, report in _reports(entrants))
    return metrics + (2 * datasets * len(entrants) if places else 0)


def calibrate(
    challenge: Challenge,
    entrants: Mapping[str, Sequence[Entrant]],
    *,
    seed: int = 1,
    datasets: int = 200,
    sizes: Mapping[str, tuple[int, ...]] | None = None,
    places: bool = True,
    advance: Advance = lambda done: None,
) -> CalibrationFile:
    """How often each published interval, and each set of places, holds the truth of a world like the observed data.

    The same reports, seed and number of datasets give the same.

    Args:
        challenge: whose reports these are.
        entrants: the teams of each track.
        seed: of all that is drawn.
        datasets: simulated for each interval (in whole fifties) and for each track.
        sizes: by board the cases of each class, where somebody knows them.
        places: whether the reports are those of all teams, so that sets of places are simulated too.
        advance: told how many of `steps_of` are done.

    Raises:
        RankingError: reports of one board do not fit together, or `sizes` do not fit the reports.
    """
    every = [entrant for entered in entrants.values() for entrant in entered]
    if places:
        datasets_of(every)
        bootstraps_of(every)
    known = ClassSizes.of(challenge, [report for _, _, report in _reports(entrants)], sizes or {})
    _refuse_other_sizes(entrants, known)
    steps = _Steps(advance)
    found, unchecked = _intervals(challenge, entrants, known, seed, datasets, steps)
    held: list[PlacesCoverage] = []
    notes: list[str] = []
    for track, entered in entrants.items() if places else ():
        simulated = _places(challenge, track, entered, known, seed, datasets, steps)
        held += simulated.rows
        unchecked += simulated.unchecked
        notes += simulated.notes
    return CalibrationFile(
        rule=rule_digest(challenge.ranking, challenge.boards),
        seed=seed,
        datasets=datasets,
        intervals=tuple(found),
        places=tuple(held),
        unchecked=tuple(unchecked),
        notes=tuple(dict.fromkeys(notes)),
    )


@dataclass
class _Steps:
    """Counts what is done over all parts."""

    advance: Advance
    done: int = 0

    def step(self) -> None:
        self.done += 1
        self.advance(self.done)


def _intervals(
    challenge: Challenge,
    entrants: Mapping[str, Sequence[Entrant]],
    sizes: ClassSizes,
    seed: int,
    datasets: int,
    steps: _Steps,
) -> tuple[list[IntervalCoverage], list[Unchecked]]:
    found: list[IntervalCoverage] = []
    one: IntervalCoverage | str
    missing: dict[tuple[str, str, str, str], list[str]] = {}
    for track, team, report in _reports(entrants):
        for key in report.metrics:
            try:
                one = _interval(challenge, report, key, sizes, (seed, track, team), datasets)
            except NotScored as undefined:
                one = f"the metric is undefined in such data: {undefined.reason}"
            if isinstance(one, str):
                missing.setdefault((track, report.board, key, one), []).append(team)
            else:
                found.append(one)
            steps.step()
    unchecked = [
        Unchecked(track=track, board=board, metric=key, teams=tuple(teams), reason=reason)
        for (track, board, key, reason), teams in missing.items()
    ]
    return found, unchecked


def _reports(entrants: Mapping[str, Sequence[Entrant]]) -> Iterator[tuple[str, str, Report]]:
    for track, entered in entrants.items():
        for entrant in entered:
            for report in entrant.reports.values():
                if report.rejected is None:
                    yield track, entrant.team, report


def _refuse_other_sizes(entrants: Mapping[str, Sequence[Entrant]], known: ClassSizes) -> None:
    boards = {report.board: report for _, _, report in _reports(entrants)}
    for board, sizes in known.given.items():
        if board not in boards:
            raise RankingError(f"--classes {board}: there is no report of it")
        cases = scored_cases(boards[board])
        if sum(sizes) != cases:
            added = " + ".join(map(str, sizes))
            raise RankingError(
                f"--classes {board}: {added} is {sum(sizes)}, and its reports score {cases} cases"
            )


def _interval(
    challenge: Challenge,
    report: Report,
    key: str,
    sizes: ClassSizes,
    place: tuple[int, str, str],
    datasets: int,
) -> IntervalCoverage | str:
    """Raises NotScored where the metric is undefined in its world."""
    metric = report.metrics[key]
    if metric.value is None or metric.low is None:
        return _NO_INTERVAL if metric.interval_note is None else f"{_NO_INTERVAL}: {metric.interval_note}"
    like = world_like(challenge, report, key, sizes)
    if isinstance(like, str):
        return like
    seed, track, team = place
    way = metric.interval_method or "percentile"  # reports from before it was kept
    found = covered(
        like.world,
        like.design,
        datasets,
        [seed, seed_of(f"{track}/{team}/{report.board}/{key}")],
        resamples=like.resamples,
        level=like.level,
        percentile=way == "percentile",
    )
    if found.without == found.datasets:
        return "no dataset of the simulation had an interval"
    resampled = isinstance(like.world.drawn, Population | SignedErrors)
    doubt = doubt_of(challenge, report, key, sizes, resampled=resampled)
    differs = difference_of(challenge, report, key, like, found)
    return IntervalCoverage(
        track=track,
        team=team,
        board=report.board,
        metric=key,
        subjects=like.design.cases // like.design.sessions,
        way=way,
        level=like.level,
        value=metric.value,
        covered=found.share,
        error=found.error,
        truth=found.truth,
        datasets=found.datasets,
        without=found.without,
        world=like.told,
        doubts=() if doubt is None else (doubt,),
        differs=() if differs is None else (differs,),
    )


def _scores(entrant: Entrant) -> Iterator[MetricReport]:
    return (
        score
        for report in entrant.reports.values()
        if report.rejected is None
        for score in report.metrics.values()
    )


@dataclass(frozen=True)
class _Simulated:
    """The coverage of a track's sets, why those of some boards have none, and what is to be said of them."""

    rows: Sequence[PlacesCoverage] = ()
    unchecked: Sequence[Unchecked] = ()
    notes: Sequence[str] = ()


def _places(
    challenge: Challenge,
    name: str,
    entrants: Sequence[Entrant],
    sizes: ClassSizes,
    seed: int,
    seasons: int,
    steps: _Steps,
) -> _Simulated:
    ranked = [entrant for entrant in entrants if not entrant.baseline]

    def unchecked(board: str | None, reason: str) -> Unchecked:
        return Unchecked(track=name, board=board, metric=None, teams=(), reason=reason)

    if not any(score.value is not None for entrant in ranked for score in _scores(entrant)):
        return _Simulated(unchecked=[unchecked(None, "no team that is ranked has a value")])
    if any(too_large(score) for entrant in ranked for score in _scores(entrant)):
        return _Simulated(unchecked=[unchecked(None, TOO_LARGE)])
    track = Track.of(challenge.ranking, challenge.boards, ranked, LEVEL)
    reason = unsimulated(track)
    if reason is not None:
        return _Simulated(unchecked=[unchecked(None, reason)])
    rows: list[PlacesCoverage] = []
    own, counted = [seed, seed_of(name)], set[str | None]()
    doubts = {board: doubts_of(challenge, board, ranked, sizes) for board in track.digests}
    every = tuple(doubt for found in doubts.values() for doubt in found)
    worlds: tuple[tuple[Distance, Seasons], ...] = (
        ("as observed", Seasons.observed(track, [*own, 1])),
        ("nearly tied", Seasons.nearly_tied(track, [*own, 2])),
    )
    for distance, world in worlds:
        for board, held in world.held(seasons, steps.step).items():
            counted.add(board)
            rows += _rows(name, board, distance, held, every if board is None else doubts[board])
    boards: list[str | None] = [None, *track.digests]
    fixed = ", ".join(f"{column.metric} of {column.board}" for column in track.errors.resampled)
    return _Simulated(
        rows,
        [unchecked(board, _UNKNOWN) for board in boards if board not in counted],
        [_FIXED.format(boards=fixed)] if fixed else [],
    )


def _rows(
    track: str, board: str | None, distance: Distance, held: Held, doubts: tuple[str, ...]
) -> Iterator[PlacesCoverage]:
    def row(
        promise: Promise, times: float, level: float | None, lowest: float | None = None
    ) -> PlacesCoverage:
        return PlacesCoverage(
            track=track,
            board=board,
            promise=promise,
            distance=distance,
            teams=len(held.teams),
            seasons=held.seasons,
            level=level,
            covered=times / held.seasons,
            error=share_error(times, held.seasons),
            lowest=lowest,
            doubts=doubts,
        )

    yield row("all teams at once", held.joint, held.level)
    if held.alone is not None:
        yield row(
            "one team alone", float(held.alone.mean()), held.level, float(held.alone.min() / held.seasons)
        )
    yield row("winner set", held.winner, held.level)
    if held.ranges is not None:
        yield row("range of resamples", held.ranges, None)
