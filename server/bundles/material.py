"""What of a bundle only the platform knows: what it is of, its leaderboard, its reports, its tables and its records."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import or_

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from contract.texts import listed
from evaluator.bundle import (
    BOARD,
    MANIFEST,
    TABLE,
    BundledEntry,
    BundledTeam,
    BundleManifest,
    PendingEvaluation,
    libraries,
)
from evaluator.spec import Bootstrap
from evaluator.version import evaluator_version
from server.bundles import records, tables
from server.bundles.private import published
from server.bundles.state import PhaseState
from server.challenges.service import frozen_since, is_sealed
from server.clock import now
from server.errors import DataMissing
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.reports import incomplete, stored
from server.evaluations.status import ACTIVE
from server.leaderboard.bases import case_counts, digests_of
from server.leaderboard.spreadsheet import as_csv
from server.leaderboard.views import leaderboard_out

_NAMED = 5
"""Results that a refusal names."""


def write(state: PhaseState) -> None:
    """Writes everything that the rest of a bundle follows from into the state's folder."""
    _require_whole(state)
    board = leaderboard_out(state.session, state.challenge, state.phase, live=True, wait=True)
    state.put_json(BOARD, board.model_dump(mode="json", exclude={"at"}))
    state.put(TABLE, as_csv(board))
    tables.write(state)
    records.write(state)
    for evaluation_id, boards in tables.counting(state).items():
        evaluation = state.session.get_one(Evaluation, evaluation_id)
        reports = stored(state.session, [evaluation_id])[evaluation_id]
        place = f"reports/{state.folders[evaluation.team_id]}/{evaluation.track}"
        for name in boards:
            report = published(reports[name], state.naming(evaluation.dataset_id))
            state.put(f"{place}/{name}.json", report.model_dump_json(indent=1) + "\n")
        state.session.expunge_all()  # a few kilobytes for each number that is drawn, and there are many
    state.put(MANIFEST, _manifest(state).model_dump_json(indent=1) + "\n")


def _require_whole(state: PhaseState) -> None:
    """Begins no bundle that would break off at a report.

    Raises:
        DataMissing: one that counts is not stored whole; it says which, and what helps.
    """
    missing = incomplete(state.session, tables.counting(state))
    if not missing:
        return
    told = [_result(state, id_, board) for id_, board in missing[:_NAMED]]
    if len(missing) > _NAMED:
        told.append(f"{len(missing) - _NAMED:,} more")
    raise DataMissing(
        ErrorCode.DATA_MISSING,
        "A bundle holds the report of each result that counts, and the database has no whole one of "
        f"{listed(told)}. Score these again by a re-evaluation, or restore the database from a backup; then ask again.",
    )


def _result(state: PhaseState, id_: EvaluationId, board: str) -> str:
    team = state.teams[state.session.get_one(Evaluation, id_).team_id]
    return f"{team.name} on board {board} (evaluation {id_})"


def _manifest(state: PhaseState) -> BundleManifest:
    session, challenge, force = state.session, state.challenge, state.force
    phase, at = challenge.spec.phases[state.phase], now(session)
    sealed = is_sealed(challenge, state.phase) or frozen_since(challenge, state.phase, at=at) is not None
    return BundleManifest(
        challenge=challenge.slug,
        title=challenge.spec.title,
        phase=state.phase,
        phase_title=phase.title,
        opens=_moment(phase.opens),
        closes=_moment(phase.closes),
        open=phase.is_open(at),
        released=not sealed,
        case_names=state.named,
        spec=challenge.spec.digest,
        evaluator=evaluator_version(),
        libraries=libraries(),
        cases=dict(sorted(case_counts(session, force).items())),
        datasets=dict(sorted(digests_of(session, force).items())),
        metrics={
            board: {key: metric["code"] for key, metric in base["metrics"].items()}
            for board, base in force.boards.items()
        },
        teams=tuple(_teams(state)),
        entries=tuple(_entries(state)),
        pending=tuple(_pending(state)),
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _teams(state: PhaseState) -> Iterator[BundledTeam]:
    """The teams that have something on a board."""
    for team_id in sorted({attempt.team.id for attempt in state.counted}):
        team = state.teams[team_id]
        yield BundledTeam(
            id=str(team.id),
            name=team.name,
            folder=state.folders[team.id],
            baseline=team.is_baseline,
            eligible=team.eligible,
            disqualified=team.disqualified is not None,
            disclaimer=team.disclaimer,
        )


def _entries(state: PhaseState) -> Iterator[BundledEntry]:
    """What counts, in the order in which boards are computed, on which the last digits may depend."""
    for attempt in state.counted:
        yield BundledEntry(
            team=str(attempt.team.id),
            track=attempt.track,
            board=attempt.board,
            evaluation=str(attempt.evaluation),
            draws=attempt.draws,
            bootstrap=None if attempt.bootstrap is None else Bootstrap.model_validate(attempt.bootstrap),
        )


def _pending(state: PhaseState) -> Iterator[PendingEvaluation]:
    unfinished = or_(Evaluation.status.in_(ACTIVE), Evaluation.status == EvaluationStatus.ERRORED)
    for evaluation in state.session.scalars(tables.of_phase(state).where(COUNTS, unfinished)):
        yield PendingEvaluation(
            evaluation=str(evaluation.id),
            team=state.teams[evaluation.team_id].name,
            track=evaluation.track,
            task=evaluation.task,
            status=evaluation.status,
        )
