"""A team's attempts, entry by entry, and grants of them."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, case, select
from sqlalchemy.orm import Session

from contract.decisions import Grant, GrantRow, Ledger, LedgerEntry
from contract.ids import EvaluationId, TeamId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStanding, EvaluationStatus
from server import events
from server.accounts.called import called
from server.accounts.principals import Observer, Organizer
from server.challenges.models import Challenge
from server.challenges.service import get_phase, require_task, require_track
from server.datasets.current import lock
from server.datasets.models import Dataset, DatasetState
from server.decisions.acts import Act, team_of_challenge, unchanged
from server.errors import NotFound
from server.evaluations.models import Evaluation
from server.submissions.models import AttemptGrant
from server.submissions.quota import HELD, SPENT, grants_of, quota_of, quotas
from server.submissions.views import quota_out
from server.teams.membership import lock_team
from server.teams.service import require_own

MOST = 500
"""Entries of a ledger that one answer has."""


def planned(session: Session, observer: Observer, challenge: Challenge, team_id: TeamId, grant: Grant) -> Act:
    """What a grant changes; boards stay as they are.

    Raises:
        NotFound, Unprocessable: no such team, phase, track or task in this challenge.
        Conflict: the phase does not limit attempts, the grant is of none, or the team was merged into another.
    """
    team = team_of_challenge(session, observer, team_id)
    require_own(team)
    spec = challenge.spec
    get_phase(spec, grant.phase)
    require_track(spec, grant.track)
    require_task(spec, grant.task)
    where = {"phase": grant.phase, "task": grant.task, "track": grant.track}
    quota = quota_of(session, spec, team_id=team.id, **where)
    if quota.valid is None:
        raise unchanged(f"Phase {grant.phase!r} does not limit attempts.")
    if grant.valid == 0:
        raise unchanged("A grant of 0 attempts is none.")
    granted = max(0, quota.valid + grant.valid)
    left = max(0, granted - quota.spent - quota.reserved)
    said = (
        f"{team.name} has {granted} valid attempts instead of {quota.valid} on {grant.task}, track {grant.track}, "
        f"phase {grant.phase}: {quota.spent} spent, {quota.reserved} held, {left} left."
    )
    shared = [name for name in ("task", "track") if name not in spec.phases[grant.phase].attempts.per]
    if shared:
        said += f" All of its {' and '.join(f'{name}s' for name in shared)} share them."
    # With it a grant that is sent twice, as after an answer that was lost, is refused the second time.
    beside = f"{quota.valid} valid attempts by {len(quota.grants)} grants"
    return Act(sentences=[said], told=[f"In the team's quota: {grant.valid:+} — {grant.why}"], beside=beside)


def grant(
    session: Session, organizer: Organizer, challenge: Challenge, team_id: TeamId, wanted: Grant
) -> AttemptGrant:
    """Gives a team attempts, or takes some; what it has used stays used.

    Raises:
        NotFound, Unprocessable, Conflict: as `planned` does; the boards are not those that were seen.
    """
    lock(session, challenge.id)
    lock_team(session, team_id)  # as for a submission: no attempt is taken while they are counted
    act = planned(session, organizer, challenge, team_id, wanted)
    act.require_seen(session, challenge, wanted.seen)
    row = AttemptGrant(
        team_id=team_id,
        granted_by=organizer.actor,
        **wanted.model_dump(include={"phase", "track", "task", "valid", "why"}),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    what = f"attempts granted: {wanted.valid:+} on {wanted.task}, track {wanted.track}, phase {wanted.phase}"
    events.record(session, "team", team_id, actor=organizer.actor, what=what, why=wanted.why)
    act.tell_team(session, challenge, team_id, why=wanted.why)
    return row


def ledger(
    session: Session,
    observer: Observer,
    challenge: Challenge,
    team_id: TeamId,
    *,
    before: EvaluationId | None = None,
    limit: int = MOST,
) -> Ledger:
    """A team's attempts; what nobody but organizers knows of (evaluations beside others) is left out.

    Raises:
        NotFound: no such team, or `before` is none of its evaluations.
    """
    team = team_of_challenge(session, observer, team_id)
    rows = _entries(session, team_id, before, limit + 1)
    return Ledger(
        team=team.name,
        quotas=[quota_out(quota) for quota in quotas(session, challenge.spec, team_id=team_id)],
        grants=grant_rows(session, grants_of(session, team_id)),
        entries=rows[:limit],
        more=len(rows) > limit,
    )


def grant_rows(session: Session, grants: Sequence[AttemptGrant]) -> list[GrantRow]:
    """Grants as organizers read them."""
    names = called(session, (grant.granted_by for grant in grants))
    return [GrantRow.of(grant, granted_by_name=names.get(grant.granted_by)) for grant in grants]


def _entries(session: Session, team_id: TeamId, before: EvaluationId | None, limit: int) -> list[LedgerEntry]:
    since: list[ColumnElement[bool]] = []
    if before is not None:
        if session.scalar(select(Evaluation.team_id).where(Evaluation.id == before)) != team_id:
            raise NotFound(ErrorCode.UNKNOWN_EVALUATION, f"'before' is no evaluation of this team: {before}.")
        since = [Evaluation.id < before]
    attempt = case((SPENT, "spent"), (HELD, "held"), (_GIVEN_BACK, "given back"), else_="none")
    rows = session.execute(
        select(Evaluation, Dataset.state, attempt)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(Evaluation.team_id == team_id, Evaluation.standing != EvaluationStanding.BESIDE, *since)
        .order_by(Evaluation.id.desc())
        .limit(limit)
    ).all()
    return [
        LedgerEntry.of(
            evaluation,
            evaluation=evaluation.id,
            submission=evaluation.submission_id,
            attempt=told,
            because=_because(evaluation, state),
        )
        for evaluation, state, told in rows
    ]


_GIVEN_BACK = and_(Evaluation.spends, Evaluation.standing != EvaluationStanding.REPLACED)
"""Of what neither spends an attempt nor holds one: whether it once did."""

_ENDS = {
    EvaluationStatus.SCORED: "scored",
    EvaluationStatus.REJECTED: "rejected, which spends none",
    EvaluationStatus.CANCELLED: "cancelled, which spends none",
    EvaluationStatus.ERRORED: "ended by the platform's fault, which spends none",
}


def _because(evaluation: Evaluation, state: DatasetState) -> str:
    if evaluation.standing == EvaluationStanding.VOID:
        return f"taken off the boards: {evaluation.voided}"
    if evaluation.standing == EvaluationStanding.REPLACED:
        return "evaluated again: another evaluation stands in its place"
    if not evaluation.spends:
        return "run again or excused by the organizers, which spends none"
    if evaluation.status == EvaluationStatus.SCORED and state != DatasetState.ACTIVE:
        return "scored on cases that are no more in force"
    return _ENDS.get(evaluation.status, "under way")
