"""The pictures of these pages, from what the API answers: the same numbers that stand in their tables."""

from collections.abc import Mapping, Sequence

from contract.sureness import (
    BoardSurenessOut,
    ComparedMetricOut,
    ComparisonOut,
    DistributionOut,
    GroupOut,
    MetricTestsOut,
    PairTestOut,
    SurenessOut,
    SurePlaceOut,
    VariableOut,
)
from evaluator.charts import (
    CaseValues,
    ComparedPair,
    FirstShare,
    GroupValue,
    MovedTeam,
    Order,
    Picture,
    PlacedTeam,
    TeamsDifference,
    difference,
    distribution,
    groups,
    rank_sets,
    scatter,
    significance_map,
    slope,
    weights,
)


def of_places(places: Sequence[SurePlaceOut], *, level: float, title: str, name: str) -> Picture:
    """Each place with those that cannot be excluded."""
    teams = [
        PlacedTeam(
            one.team,
            one.place,
            None if one.places is None else one.places.low,
            None if one.places is None else one.places.high,
            one.group,
        )
        for one in places
    ]
    return rank_sets(teams, level=level, title=title, name=name)


def of_board(board: BoardSurenessOut, *, level: float) -> Picture | None:
    """The places on one board; None where nothing is sure of them."""
    if all(one.places is None for one in board.places):
        return None
    title = f"{board.title}: how sure each place is"
    return of_places(board.places, level=level, title=title, name=f"places-{board.board}")


def of_tests(board: BoardSurenessOut, metric: MetricTestsOut, *, level: float) -> Picture | None:
    """Who is better than whom in one metric; None where there is no test."""
    if metric.test is None or not metric.pairs:
        return None
    tested = {team for pair in metric.pairs for team in (pair.team, pair.other)}
    return significance_map(
        [one.team for one in board.places if one.team in tested],
        [_compared(pair) for pair in metric.pairs],
        level=level,
        title=f"{board.title}, {metric.title}: who is better than whom",
        name=f"tests-{board.board}-{metric.metric}",
    )


def _compared(pair: PairTestOut) -> ComparedPair:
    order: Order = "alike"
    if pair.better is not None:
        order = "ahead" if pair.better == pair.team else "behind"
    return ComparedPair(pair.team, pair.other, order, pair.adjusted_in_track)


def of_weights(sure: SurenessOut) -> Picture | None:
    """Who is first under other weights; None where it is always the same team, or not known."""
    if sure.certainty is None or len(sure.certainty.weight_space) < 2:
        return None
    shares = [FirstShare(team, share) for team, share in sure.certainty.weight_space.items() if share > 0]
    return weights(shares, name="weights") if len(shares) > 1 else None


def of_change(
    now: Sequence[SurePlaceOut], then: Mapping[str, int], *, title: str, name: str, after: str
) -> Picture:
    """Places as they are against those of another rule."""
    moved = [MovedTeam(one.team, one.place, then.get(one.team)) for one in now]
    return slope(moved, before="As it is", after=after, title=title, name=name)


def of_differences(found: ComparisonOut, *, first: str, second: str) -> Picture | None:
    """The difference of two entries in each metric on the scale of its test; None where none is tested."""
    rows = []
    for metric in found.metrics:
        pair = next((pair for pair in metric.pairs if {pair.team, pair.other} == {first, second}), None)
        if pair is None:
            continue
        sign = 1 if pair.team == first else -1
        low, high = (pair.low, pair.high) if sign == 1 else (_less(pair.high), _less(pair.low))
        rows.append(
            TeamsDifference(
                metric.title,
                None if pair.effect is None else sign * pair.effect,
                low,
                high,
                higher_is_better=metric.better != "lower",
                unit=metric.scale or "",
                p=pair.adjusted_in_track,
            )
        )
    if not rows:
        return None
    return difference(rows, first=first, second=second, title=f"{first} against {second}", name="difference")


def _less(value: float | None) -> float | None:
    return None if value is None else -value


def of_cases(metric: ComparedMetricOut, *, first: str, second: str, at: tuple[int, int]) -> Picture | None:
    """The values of two entries in each case; None where single cases are not shown. at: their columns."""
    if metric.cases is None:
        return None
    one, other = at
    return scatter(
        [(row[one], row[other]) for row in metric.cases],
        first=first,
        second=second,
        metric=metric.title,
        higher_is_better=metric.better != "lower",
        title=f"{metric.title} in each case",
        name=f"cases-{metric.metric}",
    )


def of_groups(
    metric: ComparedMetricOut | None,
    key: str,
    title: str,
    entries: Sequence[tuple[str, Sequence[VariableOut]]],
    variable: str,
) -> Picture | None:
    """The values of one metric within the groups of one variable; None where no entry has any."""
    found = [
        (team, group)
        for team, variables in entries
        for one in variables
        if one.variable == variable
        for group in one.groups
    ]
    order = list(dict.fromkeys(group.group for _, group in found))
    values = [_in_group(team, group, key) for name in order for team, group in found if group.group == name]
    if not any(value.value is not None or value.suppressed for value in values):
        return None
    better = metric is None or metric.better != "lower"
    return groups(
        values,
        metric=title,
        higher_is_better=better,
        title=f"{title} by {variable}",
        name=f"groups-{key}-{variable}",
    )


def _in_group(team: str, group: GroupOut, key: str) -> GroupValue:
    value = group.values.get(key)
    return GroupValue(
        group.group,
        None if value is None else value.value,
        None if value is None else value.low,
        None if value is None else value.high,
        size=group.size,
        team=team,
        suppressed=group.suppressed,
        enough=group.enough,
    )


def of_distribution(found: DistributionOut, key: str) -> Picture | None:
    """The values of single cases of each entry in one metric; None where they are not shown."""
    metric = next(one for one in found.metrics if one.name == key)
    rows = [
        CaseValues(one.team, one.spreads[key].values)
        for one in found.entries
        if one.spreads is not None and key in one.spreads
    ]
    if not rows:
        return None
    return distribution(
        rows,
        metric=metric.title,
        higher_is_better=metric.better != "lower",
        title=f"{metric.title}: what each case gave",
        name=f"distribution-{key}",
    )
