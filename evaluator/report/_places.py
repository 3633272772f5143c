"""The places of one track, how sure they are, and what would change them."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.charts import FirstShare, Picture, PlacedTeam, rank_sets
from evaluator.charts import weights as drawn_weights
from evaluator.comparison import TeamPlace, TrackComparison, change_in_words
from evaluator.ranking import Standing, for_nobody
from evaluator.report._parts import Cell, HtmlTable
from evaluator.spec import Challenge


@dataclass(frozen=True)
class Rules:
    """What other rules would change: places that move, and the rules under which none does."""

    moved: HtmlTable
    same: Sequence[str]


@dataclass(frozen=True)
class Places:
    """Places and ranks; with a comparison also how sure they are and what would change them.

    warnings: what takes meaning from the places. winners: the teams that cannot be excluded as first; empty where
    nothing is sure. level: of what is called sure. prizes: what is to be said of them. covered: how often the sets hold
    in simulation. drawn: resamples, three times as many as `thrice`, or "" without any. without: None with fewer than
    three teams.
    """

    table: HtmlTable
    ranks: HtmlTable
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    prizes: Sequence[str] = ()
    winners: Sequence[str] = ()
    level: str = ""
    drawn: str = ""
    thrice: str = ""
    plot: Picture | None = None
    stability: HtmlTable | None = None
    without: HtmlTable | None = None
    weights: Picture | None = None
    rules: Rules | None = None
    covered: Sequence[str] = ()


def places_of(
    challenge: Challenge, standings: Sequence[Standing], comparison: TrackComparison | None
) -> Places:
    """The places of a track, best first, as `standings` are."""
    nobody = [*filter(None, [for_nobody(challenge.ranking, challenge.boards, standings, titles=True)])]
    if comparison is None:
        return Places(_table(standings, {}, None), _board_ranks(challenge, standings), nobody)
    sure = {place.team: place for place in comparison.overall}
    return Places(
        table=_table(standings, sure, comparison),
        ranks=_board_ranks(challenge, standings),
        notes=(*nobody, *comparison.notes),
        warnings=[warning.sentence() for warning in comparison.warnings],
        prizes=() if comparison.prizes is None else comparison.prizes.sentences(),
        winners=[place.team for place in comparison.overall if place.winner],
        level=f"{comparison.level:.0%}",
        drawn=f"{comparison.replicates:,}" if comparison.replicates else "",
        thrice=f"{3 * comparison.replicates:,}",
        plot=_plot(standings, sure, comparison),
        stability=_stability(comparison),
        without=_left_out(comparison),
        weights=_weights(comparison),
        rules=_rules(comparison),
    )


def _table(
    standings: Sequence[Standing], sure: dict[str, TeamPlace], comparison: TrackComparison | None
) -> HtmlTable:
    head, shown = ["Team", "Place"], [0, 0]
    if comparison is not None:
        shown = [
            4 if any(place.low is not None for place in sure.values()) else 0,
            3 if any(place.range_low is not None for place in sure.values()) else 0,
        ]
        drawn = f"{comparison.replicates:,}"
        head += [
            f"{comparison.level:.0%} places, all teams at once",
            f"{comparison.level:.0%} places, alone",
            "Top 3",
            "Group",
        ][: shown[0]]
        head += [
            f"Places in {comparison.level:.0%} of resamples",
            f"First in … of {drawn}",
            f"Top 3 in … of {drawn}",
        ][: shown[1]]
    replicates = 0 if comparison is None else comparison.replicates
    prized = any(standing.prize for standing in standings)
    behind = {} if comparison is None else _behind_first(comparison)
    rows = [
        [
            *_placed(standing),
            *_sureness(sure.get(standing.team))[: shown[0]],
            *_chances(sure.get(standing.team), replicates)[: shown[1]],
            "–" if standing.overall is None else f"{standing.overall:.2f}",
            *([behind.get(standing.team, "–")] if behind else []),
            *([standing.prize or "–"] if prized else []),
        ]
        for standing in standings
    ]
    return HtmlTable(
        [
            *head,
            "Weighted mean rank",
            *(["Mean ranks behind the first"] if behind else []),
            *(["Prize"] if prized else []),
        ],
        rows,
        "Places and how sure they are",
        styles=["baseline" if standing.baseline else "" for standing in standings],
    )


def _behind_first(comparison: TrackComparison) -> dict[str, Cell]:
    """How far each team is behind the one at the top; nothing where it is not known how sure that is."""
    top = comparison.overall[0].team
    return {
        lead.teams[1]: Cell("tie" if lead.tie else f"{lead.lead:.2f}", f"{lead.low:.2f} to {lead.high:.2f}")
        for lead in comparison.leads
        if lead.teams[0] == top and lead.low is not None
    }


def _placed(standing: Standing) -> list[str | Cell]:
    placed = standing.placement is not None
    return [_name(standing), Cell(f"{standing.placement}" if placed else "–", strong=placed)]


def _name(standing: Standing) -> str:
    marks = {
        "baseline": standing.baseline,
        "not eligible for prizes": not standing.eligible and not standing.baseline,
    }
    return standing.team + "".join(f" ({mark})" for mark, holds in marks.items() if holds)


def _sureness(place: TeamPlace | None) -> list[str | Cell]:
    """What cannot be excluded of a team."""
    if place is None:
        return ["–"] * 4
    return [
        Cell(_span(place.low, place.high), strong=bool(place.winner)),
        _span(place.alone_low, place.alone_high),
        place.among_three or "–",
        "–" if place.group is None else str(place.group),
    ]


def _chances(place: TeamPlace | None, drawn: int) -> list[str | Cell]:
    """Where a team stands in the resamples."""
    if place is None or place.first is None or place.top3 is None:
        return ["–"] * 3
    return [
        _span(place.range_low, place.range_high),
        f"{place.first * drawn:,.0f}",
        f"{place.top3 * drawn:,.0f}",
    ]


def _span(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return "–"
    return f"{low}" if low == high else f"{low} to {high}"


def _plot(
    standings: Sequence[Standing], sure: dict[str, TeamPlace], comparison: TrackComparison
) -> Picture | None:
    known = [(standing, sure[standing.team]) for standing in standings if standing.team in sure]
    if all(place.low is None for _, place in known):
        return None
    teams = [
        PlacedTeam(standing.team, standing.placement, place.low, place.high, place.group)
        for standing, place in known
    ]
    return rank_sets(teams, level=comparison.level)


def _board_ranks(challenge: Challenge, standings: Sequence[Standing]) -> HtmlTable:
    boards = [board for board in challenge.boards if any(_scored(standing, board) for standing in standings)]
    rows = [
        [
            _name(standing),
            *("–" if rank is None else f"{rank:.4g}" for rank in map(standing.task_ranks.get, boards)),
        ]
        for standing in standings
        if not standing.baseline
    ]
    return HtmlTable(
        ["Team", *(challenge.boards[board].title for board in boards)],
        rows,
        "Rank on each board: the mean of its metric ranks, or their rank where the rule ranks again",
    )


def _scored(standing: Standing, board: str) -> bool:
    return any(value is not None for value in standing.values[board].values())


def _stability(comparison: TrackComparison) -> HtmlTable | None:
    stability = comparison.stability
    if stability is None:
        return None
    row: list[str | Cell] = [
        f"{comparison.replicates:,}",
        Cell(f"{stability.mean:.2f}", f"{stability.low:.2f} to {stability.high:.2f}"),
        f"in {stability.same_winner * comparison.replicates:,.0f}",
    ]
    caption = (
        f"Each resample's ranking against the one above. Kendall's tau, mean and central {comparison.level:.0%}: 1 is "
        "the same order, 0 no relation, −1 the reverse. Same winner: nobody else is first"
    )
    return HtmlTable(["Resamples", "Kendall's tau", "Same winner"], [row], caption)


def _left_out(comparison: TrackComparison) -> HtmlTable | None:
    if len(comparison.overall) < 3:
        return None
    rows = [
        [absent.team, "; ".join(pair.sentence() for pair in absent.reordered)]
        for absent in comparison.leave_one_out
        if absent.reordered
    ]
    return HtmlTable(["Without", "Change"], rows, "Pairs whose order depends on a third team", kind="wordy")


def _weights(comparison: TrackComparison) -> Picture | None:
    """Who is first under other weights; None where only one team ever is."""
    shares = [FirstShare(team, share) for team, share in comparison.weight_space.items() if share > 0]
    return drawn_weights(shares) if len(shares) > 1 else None


def _rules(comparison: TrackComparison) -> Rules | None:
    places = {place.team: place.place for place in comparison.overall}
    if len(places) < 2 or not comparison.sensitivity:
        return None
    rows: list[list[str]] = []
    same: list[str] = []
    for variant in comparison.sensitivity:
        moved = [
            f"{team} {place} → {variant.places[team]}"
            for team, place in places.items()
            if variant.places[team] != place
        ]
        if moved:
            tau = "–" if variant.tau is None else f"{variant.tau:.2f}"
            rows.append([change_in_words(variant.change), tau, "; ".join(moved)])
        else:
            same.append(change_in_words(variant.change))
    caption = (
        "What the places would be if the rule differed in one point, and Kendall's tau with the places above"
    )
    return Rules(HtmlTable(["Rule", "Kendall's tau", "Places"], rows, caption, kind="wordy"), same)
