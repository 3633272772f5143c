"""What the comparison of a track reads, from what its scores keep; it names no case."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from uuid import UUID

from sqlalchemy import Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from contract.ids import EvaluationId, TeamId
from evaluator.comparison import (
    MOST_WHOLE,
    CertainPlaces,
    Entrant,
    PlacesBehind,
    certain_places,
    places_behind,
)
from evaluator.ranking import installed
from evaluator.scoring import Extras, FairnessReport, MetricReport, Report
from evaluator.spec import Board, Bootstrap
from evaluator.spec import Challenge as Spec
from server.evaluations.result_models import BoardReport, Score
from server.leaderboard.service import Attempt

_Numbers = tuple[float | None, ...]
_Kept = tuple[_Numbers, _Numbers | None]  # replicates and influence values


@dataclass(frozen=True)
class Entrants:
    """The teams of a track, by their ids. note: what follows from those that were drawn otherwise; None without any.

    per_case: the values of single cases, by team and board, where tests between so few teams are made from them.
    """

    teams: Sequence[Entrant]
    note: str | None
    per_case: Mapping[tuple[str, str], Mapping[str, _Numbers]]


def certain_of(spec: Spec, entrants: Entrants) -> CertainPlaces:
    """How sure the places of a track are.

    Raises:
        evaluator.ranking.RankingError: its scores were stored otherwise than today's.
    """
    certain = certain_places(spec.ranking, installed(spec.boards), entrants.teams)
    if entrants.note is None:
        return certain
    return certain.model_copy(update={"notes": (*certain.notes, entrants.note)})


def behind_of(spec: Spec, entrants: Entrants) -> PlacesBehind:
    """What stands behind them.

    Raises:
        evaluator.ranking.RankingError: as `certain_of`.
    """
    teams = [_with_cases(entrant, entrants.per_case) for entrant in entrants.teams]
    behind = places_behind(spec.ranking, installed(spec.boards), teams)
    if entrants.note is None:
        return behind
    return behind.model_copy(update={"notes": (*behind.notes, entrants.note)})


def _with_cases(entrant: Entrant, per_case: Mapping[tuple[str, str], Mapping[str, _Numbers]]) -> Entrant:
    reports = {
        board: report.model_copy(update={"per_case": per_case.get((entrant.team, board), report.per_case)})
        for board, report in entrant.reports.items()
    }
    return Entrant(entrant.team, reports, eligible=entrant.eligible)


def entrants_of(
    session: Session,
    spec: Spec,
    attempts: Sequence[Attempt],
    *,
    digests: Mapping[str, str],
    cases: Mapping[str, int],
    with_cases: bool = False,
) -> Entrants:
    """What is compared of a track.

    Args:
        session: reads what the scores keep.
        spec: the version in force.
        attempts: those of the track that are ranked.
        digests: by task, the digest of the dataset in force.
        cases: by task, how many it has.
        with_cases: values of single cases too, where the teams are so few that tests are made from them.
    """
    boards = installed(spec.boards)
    kept = _kept(session, (score.id for attempt in attempts for score in attempt.scores.values()))
    fairness = _fairness(session, boards, attempts)
    newest: dict[str, int] = {}
    for attempt in attempts:
        newest[attempt.board] = max(attempt.draws, newest.get(attempt.board, 0))
    earlier = [attempt for attempt in attempts if attempt.draws < newest[attempt.board]]
    for score in (score for attempt in earlier for score in attempt.scores.values()):
        kept[score.id] = ((), kept[score.id][1])
    reports: dict[TeamId, dict[str, Report]] = {}
    for attempt in attempts:
        board = boards[attempt.board]
        report = _report(attempt, board, kept, digests[board.task], cases.get(board.task, 0))
        known = fairness.get((attempt.evaluation, attempt.board))
        report = report.model_copy(update={"extras": report.extras.model_copy(update={"fairness": known})})
        if spec.ranking.needs_cases:
            own = {
                key: tuple(one.per_case) for key, one in attempt.scores.items() if one.per_case is not None
            }
            report = report.model_copy(update={"per_case": own})
        reports.setdefault(attempt.team.id, {})[attempt.board] = report
    eligible = {attempt.team.id: attempt.team.eligible for attempt in attempts}
    few = with_cases and len(reports) <= MOST_WHOLE
    return Entrants(
        teams=[Entrant(str(team), found, eligible=eligible[team]) for team, found in reports.items()],
        note=_unpaired(boards, earlier) if earlier else None,
        per_case=_per_case(session, attempts) if few else {},
    )


def _unpaired(boards: Mapping[str, Board], earlier: Sequence[Attempt]) -> str:
    """What follows from entries whose resamples were drawn otherwise than those of others on their boards."""
    counts = Counter(attempt.board for attempt in earlier)
    named = ", ".join(f"{boards[name].title} ({count})" for name, count in sorted(counts.items()))
    return (
        f"Entries scored by an earlier version: {named}. This one gives the same values; their intervals were made "
        "in the way of before, and their resamples are not paired with those of the others, so they are left aside. "
        "Sets of places that need them are missing until the organizers have these entries scored again."
    )


def _kept(session: Session, scores: Iterable[UUID]) -> dict[UUID, _Kept]:
    """What scores keep beside their values, by their id."""
    query = select(Score.id, Score.replicates, Score.influence).where(
        Score.id == any_(literal(list(scores), ARRAY(Uuid)))
    )
    return {
        score: (_numbers(replicates), None if influence is None else _numbers(influence))
        for score, replicates, influence in session.execute(query)
    }


def _per_case(session: Session, attempts: Sequence[Attempt]) -> dict[tuple[str, str], dict[str, _Numbers]]:
    """The values of single cases, by team and board, of what is ranked."""
    owners = {
        score.id: (attempt.team_id, attempt.board)
        for attempt in attempts
        for score in attempt.scores.values()
    }
    query = select(Score.id, Score.metric, Score.per_case).where(
        Score.id == any_(literal(list(owners), ARRAY(Uuid))), Score.per_case.is_not(None)
    )
    found: dict[tuple[str, str], dict[str, _Numbers]] = {}
    for score, metric, values in session.execute(query):
        found.setdefault(owners[score], {})[metric] = tuple(values or ())
    return found


def _fairness(
    session: Session, boards: Mapping[str, Board], attempts: Sequence[Attempt]
) -> dict[tuple[EvaluationId | None, str], dict[str, FairnessReport]]:
    """What stands behind fairness values, by evaluation and board."""
    probed = [name for name, board in boards.items() if board.probe is not None]
    evaluations = [attempt.evaluation for attempt in attempts if attempt.board in probed]
    query = select(
        BoardReport.evaluation_id, BoardReport.board, BoardReport.content["extras"]["fairness"]
    ).where(BoardReport.evaluation_id.in_(evaluations), BoardReport.board.in_(probed))
    return {
        (evaluation, board): {key: FairnessReport.model_validate(one) for key, one in found.items()}
        for evaluation, board, found in session.execute(query)
        if found
    }


def _report(
    attempt: Attempt,
    board: Board,
    kept: Mapping[UUID, _Kept],
    digest: str,
    cases: int,
) -> Report:
    """What the comparison reads of a report; it names no cases."""
    scores = {key: score for key, score in attempt.scores.items() if key in board.metrics}
    metrics = {}
    for key, score in scores.items():
        replicates, influence = kept[score.id]
        metrics[key] = MetricReport.model_construct(
            value=score.value, replicates=replicates, influence=influence, lacks=score.lacks
        )
    drawn = None if attempt.bootstrap is None else Bootstrap.model_validate(attempt.bootstrap)
    return Report.model_construct(
        board=attempt.board,
        cases=("",) * cases,
        per_case={},
        metrics=metrics,
        rejected=None,
        extras=Extras(dataset=digest, bootstrap=drawn),
    )


def _numbers(content: bytes) -> _Numbers:
    return tuple(None if isnan(number) else number for number in array("d", content))
