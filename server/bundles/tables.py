"""The tables of a bundle: teams, evaluations, the scores of every attempt, and how cases ran. A few rows at a time."""

from collections.abc import Iterator

from sqlalchemy import Select, select

from contract.ids import EvaluationId
from evaluator.bundle import RUN_COLUMNS, RUNS
from server.bundles.state import PhaseState
from server.challenges.models import SpecVersion
from server.datasets.models import Case, Dataset
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.result_models import Score
from server.images.models import Image
from server.words import for_spreadsheet

_AT_ONCE = 500
_TEAMS = ("team", "id", "baseline", "eligible", "disqualified", "disclaimer")
_EVALUATIONS = (
    *(
        "evaluation",
        "submission",
        "team",
        "track",
        "task",
        "status",
        "standing",
        "submitted_at",
        "started_at",
    ),
    *(
        "finished_at",
        "reason_code",
        "reason",
        "voided",
        "replaces",
        "reevaluation",
        "image",
        "spec",
        "dataset",
    ),
    "evaluator",
)
_SCORES = (
    *("evaluation", "team", "track", "task", "board", "metric", "value", "low", "high", "interval_method"),
    *(
        "reason",
        "note",
        "counts",
        "status",
        "standing",
        "submitted_at",
        "dataset",
        "spec",
        "evaluator",
        "code",
    ),
)


def write(state: PhaseState) -> None:
    """Writes all of them."""
    state.put_table("teams.csv", _TEAMS, _teams(state))
    state.put_table("reports/teams.csv", ("team", "is_baseline", "eligible"), _marks(state))
    state.put_table("evaluations.csv", _EVALUATIONS, _evaluations(state))
    state.put_table("scores.csv", _SCORES, _scores(state))
    state.put_table(RUNS, RUN_COLUMNS, _runs(state))


def _teams(state: PhaseState) -> Iterator[tuple[object, ...]]:
    for team in state.teams.values():
        marks = (team.is_baseline, team.eligible, team.disqualified is not None)
        yield (team.name, team.id, *map(int, marks), for_spreadsheet(team.disclaimer))


def _marks(state: PhaseState) -> Iterator[tuple[object, ...]]:
    """Who has a folder of reports; who is disqualified is shown as a baseline is, without a rank."""
    for team_id in sorted({attempt.team.id for attempt in state.counted}):
        team = state.teams[team_id]
        unranked = team.is_baseline or team.disqualified is not None
        yield (state.folders[team_id], int(unranked), int(team.eligible))


def of_phase(state: PhaseState) -> Select[Evaluation]:
    """Every evaluation of the phase, of the teams of the bundle, the oldest first."""
    return (
        select(Evaluation)
        .where(
            Evaluation.challenge_id == state.challenge.id,
            Evaluation.phase == state.phase,
            Evaluation.team_id.in_(state.teams),
        )
        .order_by(Evaluation.created_at, Evaluation.id)
    )


def _evaluations(state: PhaseState) -> Iterator[tuple[object, ...]]:
    query = (
        of_phase(state)
        .join(Image, Image.id == Evaluation.image_id)
        .join(SpecVersion, SpecVersion.id == Evaluation.spec_version_id)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .add_columns(Image.digest, SpecVersion.digest, Dataset.digest)
    )
    for evaluation, image, spec, dataset in state.session.execute(query).yield_per(_AT_ONCE):
        times = (evaluation.created_at, evaluation.started_at, evaluation.finished_at)
        yield (
            evaluation.id,
            evaluation.submission_id,
            state.teams[evaluation.team_id].name,
            evaluation.track,
            evaluation.task,
            evaluation.status,
            evaluation.standing,
            *(None if at is None else at.isoformat() for at in times),
            evaluation.reason_code,
            for_spreadsheet(evaluation.reason),
            for_spreadsheet(evaluation.voided),
            evaluation.replaces_id,
            evaluation.reevaluation_id,
            image,
            spec,
            dataset,
            evaluation.evaluator_version,
        )


def _scores(state: PhaseState) -> Iterator[tuple[object, ...]]:
    counting = {(attempt.evaluation, attempt.board) for attempt in state.counted}
    query = (
        of_phase(state)
        .join(SpecVersion, SpecVersion.id == Evaluation.spec_version_id)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .join(Score, Score.evaluation_id == Evaluation.id)
        .add_columns(Score, SpecVersion.digest, Dataset.digest)
        .order_by(Score.board, Score.metric)
    )
    for evaluation, score, spec, dataset in state.session.execute(query).yield_per(_AT_ONCE):
        base = (evaluation.scored_with or {}).get(score.board, {})
        yield (
            evaluation.id,
            state.teams[evaluation.team_id].name,
            evaluation.track,
            evaluation.task,
            score.board,
            score.metric,
            score.value,
            score.low,
            score.high,
            score.interval_method,
            for_spreadsheet(score.reason),
            for_spreadsheet(score.note),
            int((evaluation.id, score.board) in counting),
            evaluation.status,
            evaluation.standing,
            evaluation.created_at.isoformat(),
            dataset,
            spec,
            evaluation.evaluator_version,
            base.get("metrics", {}).get(score.metric, {}).get("code"),
        )


def counting(state: PhaseState) -> dict[EvaluationId, list[str]]:
    """The evaluations that count on some board, with these boards, in the order of their ids."""
    found: dict[EvaluationId, list[str]] = {}
    for attempt in state.counted:
        if attempt.evaluation is not None:
            found.setdefault(attempt.evaluation, []).append(attempt.board)
    return dict(sorted(found.items()))


def _runs(state: PhaseState) -> Iterator[tuple[object, ...]]:
    query = (
        select(
            CaseRun.evaluation_id,
            Case.dataset_id,
            Case.name,
            CaseRun.verdict,
            CaseRun.seconds,
            CaseRun.peak_memory_bytes,
        )
        .join(Case, Case.id == CaseRun.case_id)
        .where(CaseRun.evaluation_id.in_(counting(state)))
        .order_by(CaseRun.evaluation_id, Case.ordinal)
    )
    for evaluation, dataset, name, *ran in state.session.execute(query).yield_per(_AT_ONCE):
        yield (evaluation, state.naming(dataset)(name), *ran)
