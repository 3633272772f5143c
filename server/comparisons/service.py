"""Entries of a board beside each other, and what single cases gave each of them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from contract.leaderboard import BoardOut, EntryOut
from contract.problems import ErrorCode
from contract.sureness import (
    CaseSpreadOut,
    ComparedMetricOut,
    ComparedOut,
    ComparisonOut,
    DistributedOut,
    DistributionOut,
    VariableOut,
)
from evaluator.comparison import MetricTests, PlacesBehind
from evaluator.ranking import direction_of
from server.clock import now
from server.comparisons.cells import Cases, cases_of, groups_of, in_rows, seconds_of, spread
from server.comparisons.sight import Sight, board_of
from server.comparisons.sureness import metric_tests
from server.errors import NotFound
from server.leaderboard.certainty import known, whole
from server.leaderboard.service import Attempt

_LEVEL = 0.95
_UNRANKED = "Tests are between teams that are ranked: of others, such as baselines, there is none."
_SOME = "Of so many teams the tests of some pairs are kept: of the first, of neighbours, and of each with the first."
_NOT_YET = "The tests between teams are being worked out."


def compare(session: Session, sight: Sight, board: str, teams: Sequence[str]) -> ComparisonOut:
    """Entries of a board beside each other, in the order that is asked for; teams by their names or ids.

    Raises:
        NotFound: there is no such board, or a team has nothing on it.
    """
    shown, attempts = board_of(session, sight, board)
    chosen = [_entry(shown, attempts, team) for team in dict.fromkeys(teams)]
    own = [attempts[entry.team] for entry in chosen]
    row = whole(session, sight.spec, sight.counted, sight.track)
    behind = None if row is None else row.stands_behind
    pending = row is None and sight.track in known(session, sight.spec, sight.counted).pending
    pending = pending or (row is not None and row.trouble is None and row.behind is None)
    groups = _groups(session, sight, board, own)
    cases: Cases = {} if sight.hidden else cases_of(session, _scores(own))
    return ComparisonOut(
        challenge=sight.challenge.slug,
        phase=sight.phase,
        track=sight.track,
        board=board,
        title=shown.title,
        at=now(session),
        decimals=sight.decimals,
        pending=pending,
        entries=[
            ComparedOut.of(entry, groups=None if groups is None else groups.get(entry.team, []))
            for entry in chosen
        ],
        metrics=[
            _metric(sight, board, key, own, _tests(behind, board, key, pending=pending), cases)
            for key in sight.spec.boards[board].metrics
        ],
        hidden=sight.hidden,
        untested=sight.untested,
    )


def distribution(session: Session, sight: Sight, board: str, *, offset: int, limit: int) -> DistributionOut:
    """What single cases gave the entries of a board, `limit` of them from `offset` on.

    Raises:
        NotFound: there is no such board.
    """
    shown, attempts = board_of(session, sight, board)
    entries = shown.entries[offset : offset + limit]
    own = [attempts[entry.team] for entry in entries]
    groups = _groups(session, sight, board, own)
    cases: Cases = {} if sight.hidden else cases_of(session, _scores(own))
    ran = [one.evaluation for one in own if one.evaluation is not None]
    seconds = {} if sight.hidden else seconds_of(session, ran)
    return DistributionOut(
        challenge=sight.challenge.slug,
        phase=sight.phase,
        track=sight.track,
        board=board,
        title=shown.title,
        cases=shown.cases or 0,
        at=now(session),
        decimals=sight.decimals,
        metrics=shown.metrics,
        total=len(shown.entries),
        offset=offset,
        entries=[
            DistributedOut.of(
                entry,
                spreads=None if sight.hidden else _spreads(sight, attempt, cases),
                groups=None if groups is None else groups.get(entry.team, []),
                seconds=seconds.get(attempt.evaluation) if attempt.evaluation is not None else None,
            )
            for entry, attempt in zip(entries, own, strict=True)
        ],
        hidden=sight.hidden,
    )


def _entry(shown: BoardOut, attempts: Mapping[str, Attempt], team: str) -> EntryOut:
    for entry in shown.entries:
        if team in (entry.team, attempts[entry.team].team_id):
            return entry
    raise NotFound(ErrorCode.UNKNOWN_ENTRY, f"No team {team!r} has an entry on {shown.title}.")


def _scores(attempts: Sequence[Attempt]) -> list[UUID]:
    return [score.id for attempt in attempts for score in attempt.scores.values()]


def _groups(
    session: Session, sight: Sight, board: str, attempts: Sequence[Attempt]
) -> dict[str, list[VariableOut]] | None:
    """Values within groups, by the team's name; None where they are not shown."""
    if sight.hidden:
        return None
    named = {one.evaluation: one.team.name for one in attempts if one.evaluation is not None}
    found = groups_of(session, list(named), board, decimals=sight.decimals, every=sight.observes)
    return {named[evaluation]: groups for evaluation, groups in found.items()}


def _tests(behind: PlacesBehind | None, board: str, key: str, *, pending: bool) -> MetricTests:
    found = None if behind is None else behind.tests.get(board, {}).get(key)
    return found or MetricTests(test=None, reason=_NOT_YET if pending else "There is none.")


def _metric(
    sight: Sight, board: str, key: str, own: Sequence[Attempt], tests: MetricTests, cases: Cases
) -> ComparedMetricOut:
    teams = [one.team_id for one in own]
    told = metric_tests(sight, sight.spec.boards[board], key, tests, level=_LEVEL, only=teams)
    columns = [cases.get(one.scores[key].id) if key in one.scores else None for one in own]
    wanted = len(own) * (len(own) - 1) // 2
    if sum(one.who.ranked for one in own) < 2:
        told = told.model_copy(update={"reason": _UNRANKED})
    untold = None
    if tests.test is not None and len(told.pairs) < wanted:
        unranked = any(not one.who.ranked for one in own)
        untold = _UNRANKED if unranked else _SOME
    return ComparedMetricOut.of(
        told, untold=untold, cases=in_rows(columns, sight.decimals) if any(columns) else None
    )


def _spreads(sight: Sight, attempt: Attempt, cases: Cases) -> dict[str, CaseSpreadOut]:
    metrics = sight.spec.boards[attempt.board].metrics
    found = {
        key: spread(
            cases[score.id],
            higher_is_better=direction_of(metrics[key]) != "lower",
            decimals=sight.decimals,
        )
        for key, score in attempt.scores.items()
        if key in metrics and score.id in cases
    }
    return {key: one for key, one in found.items() if one is not None}
