"""The boards of a bundle, ranked again from its reports in the way in which the platform ranks."""

from collections.abc import Iterator, Mapping
from typing import Any

from evaluator.bundle._manifest import Bundle, BundledEntry
from evaluator.comparison import CertainPlaces, Entrant, TeamPlace, awarded, certain_places
from evaluator.ranking import RankingError, Row, Standing, installed, rank
from evaluator.scoring import Extras, MetricReport, Report
from evaluator.spec import Board

Reports = Mapping[tuple[str, str, str], Report]
"""By track, team's id and board."""

_PLACES = ("low", "high", "alone_low", "alone_high", "winner", "among_three")


def key_of(entry: BundledEntry) -> tuple[str, str, str]:
    """Which report is an entry's."""
    return entry.track, entry.team, entry.board


def boards_of(bundle: Bundle, reports: Reports) -> dict[str, Any]:
    """What `boards/leaderboard.json` has to say, by track, with teams and boards by their names."""
    spec, manifest = bundle.challenge, bundle.manifest
    boards = installed(spec.boards)
    counts = sum(spec.ranking.weights[name] for name in boards) > 0
    ranked = rank(spec.ranking, boards, list(_rows(bundle, boards, reports))).tracks if counts else {}
    found = {}
    for track in spec.tracks:
        certain = _certain(bundle, track, boards, reports) if counts else None
        standings = awarded(ranked.get(track, ()), certain)
        mine = {key_of(entry): entry for entry in manifest.entries if entry.track == track}
        found[track] = _track(bundle, track, standings, certain, {key: reports[key] for key in mine})
    return found


def _rows(bundle: Bundle, boards: Mapping[str, Board], reports: Reports) -> Iterator[Row]:
    teams, cases = bundle.manifest.teams_by_id, bundle.challenge.ranking.needs_cases
    for (track, team, board), report in reports.items():
        for metric, score in report.metrics.items():
            if board in boards and metric in boards[board].metrics:
                yield Row(
                    team=team,
                    track=track,
                    board=board,
                    metric=metric,
                    value=score.value,
                    is_baseline=not teams[team].ranked,
                    eligible=teams[team].eligible,
                    per_case=report.per_case.get(metric) if cases else None,
                )


def _certain(
    bundle: Bundle, track: str, boards: Mapping[str, Board], reports: Reports
) -> CertainPlaces | None:
    """How sure the places of a track are; replicates that were drawn by an earlier version are no pairs."""
    manifest, spec = bundle.manifest, bundle.challenge
    teams = manifest.teams_by_id
    entries = [
        entry
        for entry in manifest.entries
        if entry.track == track and entry.board in boards and teams[entry.team].ranked
    ]
    if all(score.value is None for entry in entries for score in reports[key_of(entry)].metrics.values()):
        return None
    newest: dict[str, int] = {}
    for entry in entries:
        newest[entry.board] = max(entry.draws, newest.get(entry.board, 0))
    found: dict[str, dict[str, Report]] = {}
    for entry in entries:
        paired = entry.draws == newest[entry.board]
        found.setdefault(entry.team, {})[entry.board] = _compared(
            bundle, boards[entry.board], entry, reports[key_of(entry)], paired=paired
        )
    entrants = [Entrant(team, own, eligible=teams[team].eligible) for team, own in found.items()]
    try:
        return certain_places(spec.ranking, boards, entrants)
    except RankingError:
        return None


def _compared(bundle: Bundle, board: Board, entry: BundledEntry, report: Report, *, paired: bool) -> Report:
    """What of a report the platform compares."""
    manifest = bundle.manifest
    metrics = {
        key: MetricReport.model_construct(
            value=score.value,
            replicates=score.replicates if paired else (),
            influence=score.influence,
            lacks=score.lacks,
        )
        for key, score in report.metrics.items()
        if key in board.metrics
    }
    extras = Extras(
        dataset=manifest.datasets[board.task],
        bootstrap=entry.bootstrap,
        fairness=None if board.probe is None else report.extras.fairness,
    )
    return Report.model_construct(
        board=entry.board,
        cases=("",) * manifest.cases.get(board.task, 0),
        per_case=report.per_case if bundle.challenge.ranking.needs_cases else {},
        metrics=metrics,
        rejected=None,
        extras=extras,
    )


def _track(
    bundle: Bundle,
    track: str,
    standings: tuple[Standing, ...],
    certain: CertainPlaces | None,
    reports: Reports,
) -> dict[str, Any]:
    names = {team.id: team.name for team in bundle.manifest.teams}
    sure = () if certain is None else certain.overall
    return {
        "unified": {
            names[standing.team]: {
                "placement": standing.placement,
                "eligible_placement": standing.eligible_placement,
                "prize": standing.prize,
                "overall": standing.overall,
                "first": standing.first,
                "board_ranks": {name: standing.task_ranks.get(name) for name in bundle.challenge.boards},
                "places": _places(sure).get(standing.team),
            }
            for standing in standings
        },
        "boards": {
            name: _board(bundle, name, standings, certain, reports, track) for name in bundle.challenge.boards
        },
        "certainty": None if certain is None else _certainty(certain, names),
    }


def _board(
    bundle: Bundle,
    name: str,
    standings: tuple[Standing, ...],
    certain: CertainPlaces | None,
    reports: Reports,
    track: str,
) -> dict[str, Any]:
    decimals = bundle.challenge.phases[bundle.manifest.phase].decimals
    names = {team.id: team.name for team in bundle.manifest.teams}
    sure = _places(() if certain is None else certain.boards.get(name, ()))
    return {
        names[standing.team]: {
            "rank": standing.task_ranks.get(name),
            "first": name in standing.first_on,
            "places": sure.get(standing.team),
            "metrics": {
                metric: _value(report.metrics.get(metric), decimals)
                | {"rank": standing.metric_ranks.get(name, {}).get(metric)}
                for metric in bundle.challenge.boards[name].metrics
            },
        }
        for standing in standings
        if (report := reports.get((track, standing.team, name))) is not None
    }


def _value(score: MetricReport | None, decimals: int) -> dict[str, Any]:
    numbers = (None, None, None) if score is None else (score.value, score.low, score.high)
    rounded = [None if number is None else round(number, decimals) for number in numbers]
    return dict(zip(("value", "low", "high"), rounded, strict=True))


def _places(places: tuple[TeamPlace, ...]) -> dict[str, dict[str, Any]]:
    return {
        place.team: {name: getattr(place, name) for name in _PLACES}
        for place in places
        if place.low is not None
    }


def _certainty(certain: CertainPlaces, names: Mapping[str, str]) -> dict[str, Any]:
    prizes = None if certain.prizes is None else certain.prizes.renamed(names)
    return {
        "level": certain.level,
        "winners": [names[place.team] for place in certain.overall if place.winner],
        "weight_space": {names[team]: share for team, share in certain.weight_space.items()},
        "awards": None if prizes is None else [award.model_dump(mode="json") for award in prizes.awards],
        "sentences": None if prizes is None else list(prizes.sentences()),
        "warnings": [warning.renamed(names).sentence() for warning in certain.warnings],
    }
