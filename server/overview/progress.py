"""How a season goes: what was submitted by day, who never got a score, what is left of attempts, the time line."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from contract.overview import AttemptsUse, DayOut, PhaseLine, TriedOut
from contract.statuses import EvaluationStatus
from evaluator.spec import Phase
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import ACTIVE, HAS_CASES
from server.overview.scene import Scene
from server.submissions.quota import Quota, quotas_of_teams
from server.teams.models import Team

_MOST_TEAMS = 100
"""Teams without a score that one overview names, those that tried last."""
_S = EvaluationStatus


def days(scene: Scene, count: int) -> list[DayOut]:
    """The last `count` days, today's included."""
    today = scene.at.astimezone(UTC).date()
    first = today - timedelta(days=count - 1)
    day = func.date(func.timezone("UTC", Evaluation.created_at))
    rows = scene.session.execute(
        select(
            day,
            *(func.count().filter(Evaluation.status == status) for status in (_S.SCORED, _S.REJECTED)),
            *(func.count().filter(Evaluation.status == status) for status in (_S.ERRORED, _S.CANCELLED)),
            func.count().filter(Evaluation.status.in_(ACTIVE)),
        )
        .where(
            COUNTS,
            Evaluation.challenge_id == scene.challenge.id,
            Evaluation.created_at >= datetime.combine(first, datetime.min.time(), UTC),
        )
        .group_by(day)
    )
    known = {on: tuple(numbers) for on, *numbers in rows}
    listed = (first + timedelta(days=number) for number in range(count))
    names = ("scored", "rejected", "errored", "cancelled", "under_way")
    return [DayOut(day=on, **dict(zip(names, known.get(on, (0,) * 5), strict=True))) for on in listed]


def never_scored(scene: Scene) -> list[TriedOut]:
    """Teams that have submitted and hold no score, those that tried last first."""
    last = func.max(Evaluation.created_at)
    rows = scene.session.execute(
        select(
            Team.id,
            Team.name.label("team"),
            func.count().label("evaluations"),
            func.count().filter(Evaluation.status == _S.REJECTED).label("rejected"),
            func.count().filter(Evaluation.status == _S.ERRORED).label("errored"),
            func.count().filter(Evaluation.status.in_(ACTIVE)).label("under_way"),
            func.mode().within_group(Evaluation.reason_code).label("reason"),
            last.label("last_at"),
        )
        .join(Evaluation, Evaluation.team_id == Team.id)
        .where(COUNTS, Team.challenge_id == scene.challenge.id)
        .group_by(Team.id, Team.name)
        .having(func.count().filter(Evaluation.status == _S.SCORED) == 0)
        .order_by(last.desc(), Team.id)
        .limit(_MOST_TEAMS)
    )
    return [TriedOut.of(row) for row in rows]


def attempts(scene: Scene) -> list[AttemptsUse]:
    """What is left on phases that bound attempts and are not over."""
    bounded = {
        name: phase.attempts
        for name, phase in scene.spec.phases.items()
        if phase.attempts.valid is not None and not scene.is_over(phase)
    }
    if not bounded:
        return []
    found = quotas_of_teams(scene.session, scene.spec, scene.challenge.id, *bounded)
    return [
        use
        for name, rule in bounded.items()
        if rule.valid is not None
        for use in _uses(name, rule.valid, list(rule.per), found.get(name, []))
    ]


def _uses(phase: str, valid: int, per: list[str], quotas: list[Quota]) -> Iterator[AttemptsUse]:
    """Quotas that share a number are counted once for each team."""
    groups: dict[tuple[str | None, str | None], list[Quota]] = defaultdict(list)
    for quota in quotas:
        key = quota.track if "track" in per else None, quota.task if "task" in per else None
        groups[key].append(quota)
    for (track, task), alike in groups.items():
        yield AttemptsUse(
            phase=phase,
            track=track,
            task=task,
            valid=valid,
            teams=len(alike),
            spent=sum(quota.spent for quota in alike),
            held=sum(quota.reserved for quota in alike),
            left=sum(quota.left or 0 for quota in alike),
            none_left=sum(quota.left == 0 for quota in alike),
        )


def phases(scene: Scene) -> list[PhaseLine]:
    """The phases in the order of the file, with what waits of each."""
    rows = scene.session.execute(
        select(Evaluation.phase, func.sum(Evaluation.remaining), func.count())
        .where(COUNTS, Evaluation.challenge_id == scene.challenge.id, Evaluation.status.in_(HAS_CASES))
        .group_by(Evaluation.phase)
    )
    waiting = {phase: (int(cases), evaluations) for phase, cases, evaluations in rows}
    ends = {known.phase: known for known in scene.forecast.phases if known.challenge == scene.challenge.slug}
    found = []
    for name, phase in scene.spec.phases.items():
        released = name in scene.challenge.released
        state, coming, when = standing(phase, scene.at, released=released)
        cases, evaluations = waiting.get(name, (0, 0))
        end = ends.get(name)
        found.append(
            PhaseLine.of(
                phase,
                name=name,
                state=state,
                next=coming,
                next_at=when,
                released=released,
                cases=cases,
                evaluations=evaluations,
                slot_seconds=end.slot_seconds if end else None,
                empties_at=end.ends if end else None,
                in_time=end.in_time if end else None,
            )
        )
    return found


def standing(phase: Phase, at: datetime, *, released: bool) -> tuple[str, str | None, datetime | None]:
    """A word for where a phase stands, what comes next, and when."""
    if phase.opens is None:
        return "no date", None, None
    if at < phase.opens:
        return "opens", "opens", phase.opens
    if phase.is_open(at):
        if phase.freezes is not None and at < phase.freezes:
            return "open", "board freezes", phase.freezes
        return "open", None if phase.closes is None else "closes", phase.closes
    if released or phase.board == "public":
        return "released" if released else "closed", None, None
    return "closed", "to be released" if phase.board == "sealed" else None, None
