"""How sure the places of a leaderboard are, from what its scores keep, worked out once for what counts."""

from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from uuid import UUID

import structlog
from sqlalchemy import Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from contract.ids import EvaluationId, TeamId
from evaluator.comparison import CertainPlaces, Entrant, certain_places
from evaluator.ranking import RankingError, installed
from evaluator.scoring import Extras, FairnessReport, MetricReport, Report
from evaluator.spec import Board, Bootstrap
from evaluator.spec import Challenge as Spec
from server.evaluations.result_models import BoardReport, Score
from server.leaderboard.service import Attempt

_Numbers = tuple[float | None, ...]
_Kept = tuple[_Numbers, _Numbers | None]  # replicates and influence values

_MOST = 64
_KNOWN: OrderedDict[tuple[object, ...], CertainPlaces | None] = OrderedDict()
"""Scores are never changed: what follows from the same ones under the same rule is the same."""

_log = structlog.get_logger()


def certainty(
    session: Session,
    spec: Spec,
    counted: Sequence[Attempt],
    *,
    digests: Mapping[str, str],
    cases: Mapping[str, int],
) -> dict[str, CertainPlaces]:
    """What is sure of the places of each track; teams go by their id. A track without anything to rank is left out.

    Args:
        session: reads what the scores keep.
        spec: the version in force.
        counted: what counts.
        digests: by task, the digest of the dataset in force.
        cases: by task, how many it has.
    """
    boards = installed(spec.boards)
    found = {}
    for track in spec.tracks:
        mine = [one for one in counted if one.track == track and one.ranked and one.board in boards]
        mine = [one for one in mine if one.published is None]  # published values alone tell nothing of it
        if all(score.value is None for one in mine for score in one.scores.values()):
            continue
        ranked = [(name, *board.metrics) for name, board in boards.items()]
        key = (spec.digest, *ranked, *sorted(map(_identity, mine), key=str))
        if key not in _KNOWN:
            _KNOWN[key] = _certain(session, spec, boards, mine, digests, cases)
            while len(_KNOWN) > _MOST:
                _KNOWN.popitem(last=False)
        if (certain := _KNOWN[key]) is not None:
            found[track] = certain
    return found


def _identity(attempt: Attempt) -> tuple[object, ...]:
    scores = sorted(str(score.id) for score in attempt.scores.values())
    return (str(attempt.team.id), attempt.board, attempt.team.eligible, attempt.draws, *scores)


def _certain(
    session: Session,
    spec: Spec,
    boards: Mapping[str, Board],
    attempts: Sequence[Attempt],
    digests: Mapping[str, str],
    cases: Mapping[str, int],
) -> CertainPlaces | None:
    if not sum(spec.ranking.weights[name] for name in boards) > 0:
        return None
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
        known = fairness.get((_evaluation(attempt), attempt.board))
        report = report.model_copy(update={"extras": report.extras.model_copy(update={"fairness": known})})
        if spec.ranking.needs_cases:
            report = report.model_copy(update={"per_case": _per_case(attempt)})
        reports.setdefault(attempt.team.id, {})[attempt.board] = report
    eligible = {attempt.team.id: attempt.team.eligible for attempt in attempts}
    entrants = [Entrant(str(team), found, eligible=eligible[team]) for team, found in reports.items()]
    try:
        certain = certain_places(spec.ranking, boards, entrants)
    except RankingError as error:  # scores that were stored otherwise than today's; places need none of this
        _log.warning("places without sets", challenge=spec.challenge, reason=str(error))
        return None
    if not earlier:
        return certain
    return certain.model_copy(update={"notes": (*certain.notes, _unpaired(boards, earlier))})


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


def _fairness(
    session: Session, boards: Mapping[str, Board], attempts: Sequence[Attempt]
) -> dict[tuple[EvaluationId | None, str], dict[str, FairnessReport]]:
    """What stands behind fairness values, by evaluation and board."""
    probed = [name for name, board in boards.items() if board.probe is not None]
    evaluations = [_evaluation(attempt) for attempt in attempts if attempt.board in probed]
    query = select(
        BoardReport.evaluation_id, BoardReport.board, BoardReport.content["extras"]["fairness"]
    ).where(BoardReport.evaluation_id.in_(evaluations), BoardReport.board.in_(probed))
    return {
        (evaluation, board): {key: FairnessReport.model_validate(one) for key, one in found.items()}
        for evaluation, board, found in session.execute(query)
        if found
    }


def _evaluation(attempt: Attempt) -> EvaluationId | None:
    return next((score.evaluation_id for score in attempt.scores.values()), None)


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


def _per_case(attempt: Attempt) -> dict[str, _Numbers]:
    return {key: tuple(score.per_case) for key, score in attempt.scores.items() if score.per_case is not None}


def _numbers(content: bytes) -> _Numbers:
    return tuple(None if isnan(number) else number for number in array("d", content))
