"""Re-evaluations as organizers' programs read them."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import ReevaluationId, TeamId
from contract.reevaluations import (
    AttemptsOut,
    CaseSpread,
    CountOut,
    ExcludedOut,
    Exclusion,
    PairOut,
    ReevaluationOut,
    ReevaluationPlanOut,
    ReevaluationPreview,
    SpreadOut,
    ToldOut,
    ValueSpread,
)
from contract.statuses import ReevaluationState
from server.challenges.models import Challenge
from server.evaluations.models import Evaluation
from server.plans.service import plan
from server.queue.forecast import Measured
from server.reevaluations import preview, telling
from server.reevaluations.coverage import Coverage, cover
from server.reevaluations.models import Reevaluation
from server.reevaluations.pairs import Pair, digest, pairs
from server.settings import Settings
from server.teams.models import Team

MOST_NAMED = 50
"""Evaluations that are named of those that are left out for one reason."""


def reevaluations_out(
    session: Session, challenge: Challenge, found: Sequence[Reevaluation]
) -> list[ReevaluationOut]:
    """Several, without what they would make."""
    counts = _statuses(session, found)
    return [_out(challenge, one, counts.get(one.id, {}), None) for one in found]


def reevaluation_out(
    session: Session, challenge: Challenge, reevaluation: Reevaluation, settings: Settings
) -> ReevaluationOut:
    """One with what it would make, or what has come late."""
    counts = _statuses(session, [reevaluation]).get(reevaluation.id, {})
    if reevaluation.state in preview.OVER:
        return _out(challenge, reevaluation, counts, None)
    coverage = cover(session, challenge, reevaluation, settings)
    return _out(challenge, reevaluation, counts, plan_out(session, reevaluation, coverage, settings))


def drafted_out(
    session: Session,
    challenge: Challenge,
    reevaluation: Reevaluation,
    coverage: Coverage,
    settings: Settings,
) -> ReevaluationOut:
    """One that was drafted just now."""
    return _out(challenge, reevaluation, {}, plan_out(session, reevaluation, coverage, settings))


def _statuses(
    session: Session, reevaluations: Sequence[Reevaluation]
) -> dict[ReevaluationId, dict[str, int]]:
    """How many evaluations of each stand where."""
    rows = session.execute(
        select(Evaluation.reevaluation_id, Evaluation.status, func.count())
        .where(Evaluation.reevaluation_id.in_([one.id for one in reevaluations]))
        .group_by(Evaluation.reevaluation_id, Evaluation.status)
    )
    found: dict[ReevaluationId, dict[str, int]] = {}
    for reevaluation_id, status, count in rows:
        if reevaluation_id is not None:
            found.setdefault(reevaluation_id, {})[status] = count
    return found


def _out(
    challenge: Challenge,
    reevaluation: Reevaluation,
    counts: dict[str, int],
    planned: ReevaluationPlanOut | None,
) -> ReevaluationOut:
    version = reevaluation.target_version
    return ReevaluationOut.of(
        reevaluation,
        challenge=challenge.slug,
        datasets=reevaluation.target_datasets,
        version=None if version is None else version.digest,
        statuses=counts,
        plan=planned,
    )


def plan_out(
    session: Session, reevaluation: Reevaluation, coverage: Coverage, settings: Settings
) -> ReevaluationPlanOut:
    """What is covered, and what it costs."""
    times, spec = reevaluation.repetitions, coverage.target.spec
    measured = Measured(session)
    to_run = to_score = 0
    slot_seconds = gpu_seconds = 0.0
    for material in coverage.included:
        limits = spec.limits_of(material.evaluation.task)
        each = measured.of(material.evaluation)
        seconds = times * len(material.to_run) * (limits.seconds_per_case if each is None else each)
        slot_seconds += seconds
        gpu_seconds += seconds * (limits.gpu.count if limits.gpu and limits.gpu.required else 0)
        to_run += times * len(material.to_run)
        to_score += times * (len(material.to_run) + len(material.taken))
    made = times * len(coverage.included)
    return ReevaluationPlanOut(
        evaluations=made,
        cases_to_run=to_run,
        cases_to_score=to_score,
        gpu_hours=round(gpu_seconds / 3600, 3),
        slot_hours=round(slot_seconds / 3600, 3),
        excluded=[_excluded(reason, coverage) for reason in coverage.excluded],
        sentence=_sentence(made, to_run, to_score, slot_seconds / 3600, coverage),
        questions=_questions(session, reevaluation, settings),
    )


def _questions(session: Session, reevaluation: Reevaluation, settings: Settings) -> list[str]:
    """What its file asks of those who would apply it; not of boards, for the preview shows what becomes of these."""
    if reevaluation.target_version is None or reevaluation.state is not ReevaluationState.DRAFT:
        return []
    return plan(session, reevaluation.target_version.spec, settings=settings, boards=False).questions


def _excluded(reason: Exclusion, coverage: Coverage) -> ExcludedOut:
    ids = coverage.excluded[reason]
    others = sorted(coverage.others) if reason is Exclusion.IN_ANOTHER else []
    named = f"{reason.words}: {', '.join(map(str, others))}" if others else reason.words
    return ExcludedOut(
        reason=reason,
        sentence=f"{len(ids)} left out: {named}.",
        count=len(ids),
        evaluations=[str(evaluation) for evaluation in ids[:MOST_NAMED]],
        others=[str(other) for other in others],
    )


def _sentence(made: int, to_run: int, to_score: int, hours: float, coverage: Coverage) -> str:
    left_out = sum(map(len, coverage.excluded.values()))
    runs = f"{to_run:,} cases run, about {hours:.2g} slot hours" if to_run else "no container runs"
    out = f"; {left_out:,} of the scope {'is' if left_out == 1 else 'are'} left out" if left_out else ""
    return f"{made:,} evaluation{'' if made == 1 else 's'} of {to_score:,} cases: {runs}{out}."


def preview_out(
    session: Session, challenge: Challenge, reevaluation: Reevaluation, settings: Settings
) -> ReevaluationPreview:
    """What applying it would do."""
    found = pairs(session, reevaluation)
    planned = preview.file_plan(session, reevaluation, settings)
    ledger = preview.attempts(session, challenge, reevaluation, found)
    query = select(Team.id, Team.name).where(Team.challenge_id == challenge.id)
    teams: dict[TeamId, str] = {row.id: row.name for row in session.execute(query)}
    cases = preview.verdicts(session, found)
    first: dict[tuple[str, str], int] = {}
    for pair in found:
        if pair.repetition == 1:
            key = pair.old_status.value, pair.new_status.value
            first[key] = first.get(key, 0) + 1
    return ReevaluationPreview(
        digest=digest(session, reevaluation, planned),
        pairs=[PairOut.of(pair, team=teams[pair.team_id]) for pair in found],
        statuses=[CountOut(old=old, new=new, count=count) for (old, new), count in sorted(first.items())],
        verdicts=[CountOut(old=old, new=new, count=count) for (old, new), count in cases.most_common()],
        spreads=[_spread(one, teams) for one in preview.repeated(session, found)],
        attempts=[
            AttemptsOut(team=teams[team], phase=phase, track=track, task=task, spent=spent, would_be=would)
            for (team, phase, track, task), (spent, would) in ledger.items()
        ],
        boards=telling.boards(session, challenge, reevaluation, found),
        told=[
            ToldOut(team=teams[team], sentences=sentences)
            for team, sentences in telling.told(reevaluation, found).items()
        ],
        late=[str(evaluation) for evaluation in preview.late(session, challenge, reevaluation, settings)],
        sentences=(
            [f"It is {reevaluation.state}: nothing of it is to come."]
            if reevaluation.state in preview.OVER
            else preview.sentences(reevaluation, found, ledger, planned)
        ),
    )


def _spread(found: preview.Repeated, teams: dict[TeamId, str]) -> SpreadOut:
    pair: Pair = found.pair
    differing = [case for case in found.cases if case.differs]
    return SpreadOut.of(
        pair,
        evaluation=pair.old,
        team=teams[pair.team_id],
        deterministic=not differing,
        cases=len(found.cases),
        differing=[
            CaseSpread(
                case=case.case,
                outputs=len(case.outputs),
                verdicts=sorted(case.verdicts),
                least_seconds=min(case.seconds, default=None),
                most_seconds=max(case.seconds, default=None),
            )
            for case in differing
        ],
        values=[
            ValueSpread(board=board, metric=metric, low=low, high=high)
            for (board, metric), (low, high) in found.values.items()
        ],
    )
