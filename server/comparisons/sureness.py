"""How sure the places of a track are, as it is told: what is kept, with the teams by their names."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from contract.leaderboard import PlacesOut
from contract.sureness import (
    BoardSurenessOut,
    GapOut,
    MetricTestsOut,
    OtherRuleOut,
    PairTestOut,
    ReorderedOut,
    SurenessOut,
    SurePlaceOut,
    WithoutBoardOut,
    WithoutTeamOut,
)
from evaluator.comparison import (
    CertainPlaces,
    MetricTests,
    PairTest,
    PlacesBehind,
    RankLead,
    TeamPlace,
    change_in_words,
)
from evaluator.ranking import direction_of
from evaluator.spec import Board, Metric
from server.clock import now
from server.comparisons.sight import Sight
from server.leaderboard.certain_out import certainty_out
from server.leaderboard.certainty import known, whole

_VALUES = ("effect", "low", "high", "superiority", "superiority_low", "superiority_high")
_CHANCES = ("p", "adjusted", "adjusted_in_track")
_P_DIGITS = 6
_RANK_DIGITS = 4

Names = Mapping[str, str]
"""What teams are called, by their ids."""


def sureness_out(session: Session, sight: Sight) -> SurenessOut:
    """All that is kept of how sure the places of a track are; nothing is worked out."""
    row = whole(session, sight.spec, sight.counted, sight.track)
    certain, behind = (None, None) if row is None else (row.certain, row.stands_behind)
    names = sight.names
    return SurenessOut(
        challenge=sight.challenge.slug,
        phase=sight.phase,
        track=sight.track,
        at=now(session),
        frozen=sight.frozen,
        decimals=sight.decimals,
        pending=_pending(session, sight) if row is None else row.trouble is None and row.behind is None,
        certainty=None if certain is None else certainty_out(certain, names),
        overall=[] if certain is None else _places(certain.overall, names),
        groups=[] if certain is None else _together(certain.overall, names),
        gaps=[] if behind is None else [_gap(sight, lead) for lead in behind.leads],
        boards=[] if certain is None else _boards(sight, certain, behind, names),
        pairs=None if behind is None else behind.pairs,
        without_boards=[] if behind is None else _without_boards(sight, behind, names),
        without_teams=[] if behind is None else _without_teams(behind, names),
        rules=[] if behind is None else _rules(behind, names),
        notes=list(behind.notes if behind is not None else certain.notes if certain is not None else ()),
        hidden=sight.untested,
    )


def _pending(session: Session, sight: Sight) -> bool:
    return sight.track in known(session, sight.spec, sight.counted).pending


def _places(places: Iterable[TeamPlace], names: Names) -> list[SurePlaceOut]:
    return [
        SurePlaceOut(
            team=names[place.team],
            place=place.place,
            places=None if place.low is None else PlacesOut.model_validate(place),
            group=place.group,
        )
        for place in places
    ]


def _together(places: Iterable[TeamPlace], names: Names) -> list[list[str]]:
    return _groups({place.team: place.group for place in places if place.group is not None}, names)


def _groups(groups: Mapping[str, int], names: Names) -> list[list[str]]:
    """The names of each group, the best one first."""
    return [
        [names[team] for team, group in groups.items() if group == number]
        for number in sorted(set(groups.values()))
    ]


def _gap(sight: Sight, lead: RankLead) -> GapOut:
    names, told = sight.names, sight.untested is None
    return GapOut(
        ahead=names[lead.teams[0]],
        behind=names[lead.teams[1]],
        ranks=round(lead.lead, _RANK_DIGITS),
        low=_rounded(lead.low, _RANK_DIGITS) if told else None,
        high=_rounded(lead.high, _RANK_DIGITS) if told else None,
        tie=lead.tie,
    )


def _boards(
    sight: Sight, certain: CertainPlaces, behind: PlacesBehind | None, names: Names
) -> list[BoardSurenessOut]:
    tests = {} if behind is None else behind.tests
    level = certain.level
    return [
        BoardSurenessOut(
            board=name,
            title=board.title,
            weight=sight.spec.ranking.weights[name],
            places=_places(certain.boards[name], names),
            groups=_together(certain.boards[name], names),
            metrics=[
                metric_tests(sight, board, key, found, level=level)
                for key, found in tests.get(name, {}).items()
            ],
        )
        for name, board in sight.spec.boards.items()
        if name in certain.boards
    ]


def metric_tests(
    sight: Sight, board: Board, key: str, found: MetricTests, *, level: float, only: Sequence[str] = ()
) -> MetricTestsOut:
    """The tests between the teams of a track in one metric; `only`: between these, by their ids."""
    metric, names = board.metrics[key], sight.names
    pairs = [pair for pair in found.pairs if not only or set(pair.teams) <= set(only)]
    return MetricTestsOut(
        metric=key,
        title=metric.title or key,
        better=direction_of(metric),
        test=found.test,
        reason=found.reason,
        units=found.units,
        scale=found.scale,
        groups=_groups(found.groups, names),
        pairs=[_pair(sight, metric, pair, level) for pair in pairs],
    )


def _pair(sight: Sight, metric: Metric, pair: PairTest, level: float) -> PairTestOut:
    """A pair as it is told, rounded like every value of the phase."""
    lead = pair.difference if direction_of(metric) == "higher" else -pair.difference
    one, other = (sight.names[team] for team in pair.teams)
    better = None if lead == 0 or not pair.apart(level) else one if lead > 0 else other
    told = {} if sight.untested else pair.model_dump(include={*_VALUES, *_CHANCES})
    return PairTestOut(
        team=one,
        other=other,
        better=better,
        difference=round(pair.difference, sight.decimals),
        **{name: _rounded(told.get(name), sight.decimals) for name in _VALUES},
        **{name: _rounded(told.get(name), _P_DIGITS) for name in _CHANCES},
    )


def _without_boards(sight: Sight, behind: PlacesBehind, names: Names) -> list[WithoutBoardOut]:
    return [
        WithoutBoardOut(
            board=one.board,
            title=sight.spec.boards[one.board].title,
            tau=_rounded(one.tau, _RANK_DIGITS),
            places=_named(one.places, names),
        )
        for one in behind.without_board
    ]


def _without_teams(behind: PlacesBehind, names: Names) -> list[WithoutTeamOut]:
    return [
        WithoutTeamOut(
            team=names[one.team],
            reordered=[
                ReorderedOut(
                    teams=[names[team] for team in pair.teams],
                    sentence=pair.renamed(names).sentence(),
                )
                for pair in one.reordered
            ],
        )
        for one in behind.leave_one_out
        if one.reordered
    ]


def _rules(behind: PlacesBehind, names: Names) -> list[OtherRuleOut]:
    return [
        OtherRuleOut(
            change=one.change,
            sentence=change_in_words(one.change),
            tau=_rounded(one.tau, _RANK_DIGITS),
            places=_named(one.places, names),
        )
        for one in behind.sensitivity
    ]


def _named(places: Mapping[str, int], names: Names) -> dict[str, int]:
    return {names[team]: place for team, place in sorted(places.items(), key=lambda pair: pair[1])}


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)
