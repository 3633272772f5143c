"""A team's attempts, move by move: what each says, and that they come to what the quota counts."""

import random
from uuid import UUID

import pytest
from sqlalchemy import select, update

from contract.ids import EvaluationId
from contract.statuses import EvaluationStanding, EvaluationStatus
from evaluator.spec import Challenge
from server import events
from server.app import create_app
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.models import Dataset
from server.evaluations import service
from server.evaluations.excuse import excuse
from server.evaluations.models import Evaluation
from server.settings import Settings
from server.submissions.ledger import ledger
from server.submissions.models import AttemptGrant
from server.submissions.quota import quota_of
from server.submissions.retry import retry
from server.teams.models import Team
from tests.server.lab import Entrant, Json, Lab
from tests.server.test_leaderboard import change

Status = EvaluationStatus
TASKS = ("task3", "task5")


def moves(team: Entrant, **where: str) -> list[Json]:
    answer = team.http.get(f"/teams/{team.team}/attempts", params=where)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["moves"])


def move(lab: Lab, evaluation: UUID, *statuses: Status) -> None:
    with unit_of_work(lab.sessions) as session:
        row = service.lock_evaluation(session, EvaluationId(evaluation))
        for status in statuses:
            row.move_to(session, status, actor="tests")


def void(lab: Lab, evaluation: UUID, *, back: bool) -> None:
    with unit_of_work(lab.sessions) as session:
        row = session.get_one(Evaluation, evaluation)
        row.standing = EvaluationStanding.IN_FORCE if back else EvaluationStanding.VOID
        row.voided = None if back else "a mistake"
        what = "in force again" if back else "voided"
        events.record(session, "evaluation", row.id, actor="tests", what=what, why="a mistake")


def grant(lab: Lab, team: Entrant, valid: int, phase: str = "validation") -> None:
    where = {"phase": phase, "track": "open", "task": "task5"}
    with unit_of_work(lab.sessions) as session:
        row = AttemptGrant(team_id=UUID(team.team), valid=valid, why="sorry", granted_by="tests", **where)
        session.add(row)


def test_each_move_says_why_and_what_it_leaves(lab: Lab, team: Entrant, fomo26: Challenge) -> None:
    limits = {"attempts": fomo26.phases["validation"].attempts}
    change(lab, fomo26, phases=fomo26.phases | {"sanity": fomo26.phases["sanity"].model_copy(update=limits)})
    lab.dataset(phase="sanity")
    scored, lost = UUID(team.submit(phase="sanity")), UUID(team.submit(phase="sanity"))
    move(lab, scored, Status.RUNNING, Status.SCORING, Status.SCORED)
    move(lab, lost, Status.ERRORED)
    with unit_of_work(lab.sessions) as session:
        retry(session, EvaluationId(lost), actor="tests", settings=lab.settings)
    move(lab, lost, Status.REJECTED)
    void(lab, scored, back=False)
    grant(lab, team, 2, "sanity")
    told = [(one["kind"], one["change"], one["balance"], one["why"]) for one in reversed(moves(team))]
    assert told == [
        ("reserved", -1, 2, "submitted"),
        ("reserved", -1, 1, "submitted"),
        ("spent", 0, 1, "scored"),
        ("given back", 1, 2, "ended by the platform's fault, which spends none"),
        ("reserved", -1, 1, "run again by the organizers"),
        ("given back", 1, 2, "rejected, which spends none"),
        ("given back", 1, 3, "taken off the boards by the organizers: a mistake"),
        ("granted", 2, 5, "by the organizers: sorry"),
    ]
    assert moves(team, task="task3") == []
    newest = team.http.get(f"/teams/{team.team}/attempts", params={"limit": 1}).json()
    assert (len(newest["moves"]), newest["more"]) == (1, True)


@pytest.mark.parametrize(("seed", "per"), [(1, ("team", "task", "track")), (2, ("team", "track"))])
def test_whatever_happened_the_moves_come_to_what_the_quota_counts(
    lab: Lab, team: Entrant, fomo26: Challenge, settings: Settings, seed: int, per: tuple[str, ...]
) -> None:
    phase = fomo26.phases["validation"]
    limits = phase.attempts.model_copy(update={"per": per, "valid": 4, "rejected_per_week": None})
    change(lab, fomo26, phases=fomo26.phases | {"validation": phase.model_copy(update={"attempts": limits})})
    drawn = random.Random(seed)  # noqa: S311 - nothing secret
    for task in TASKS:
        lab.dataset(task, cases=1)
    holding = create_app(settings.model_copy(update={"hold_ends": True})).state.sessions
    for _ in range(25):
        happen(lab, team, drawn)
        for sessions in (lab.sessions, holding):
            with unit_of_work(sessions) as session:
                spec = get_challenge(session, lab.slug).spec
                found = ledger(session, spec, team_id=UUID(team.team))
                for task in TASKS:
                    where = {"phase": "validation", "track": "open", "task": task}
                    own = [one for one in found if one.task == task or "task" not in per]
                    left = quota_of(session, spec, team_id=UUID(team.team), **where).left
                    assert max(0, own[-1].balance if own else 4) == left, own
    holding.kw["bind"].dispose()


def happen(lab: Lab, team: Entrant, drawn: random.Random) -> None:
    """Something that may happen to a team's attempts."""
    with unit_of_work(lab.sessions) as session:
        rows = session.execute(
            select(Evaluation.id, Evaluation.status, Evaluation.standing).where(
                Evaluation.team_id == UUID(team.team)
            )
        ).all()
    act = drawn.choice(["submit", "submit", "end", "end", "retry", "excuse", "void", "cases", "grant"])
    by = {status: [row for row in rows if row.status is status] for status in Status}
    if act == "submit":
        team.post(drawn.choice(TASKS))
    elif act == "end" and by[Status.QUEUED]:
        ends = [(Status.REJECTED,), (Status.CANCELLED,), (Status.ERRORED,)]
        scored = (Status.RUNNING, Status.SCORING, Status.SCORED)
        move(lab, drawn.choice(by[Status.QUEUED]).id, *drawn.choice([scored, scored, *ends]))
    elif act == "retry" and by[Status.ERRORED]:
        with unit_of_work(lab.sessions) as session:
            chosen = drawn.choice(by[Status.ERRORED]).id
            retry(session, chosen, actor="tests", settings=lab.settings)
        with unit_of_work(lab.sessions) as session:
            again = Evaluation.id == chosen, Evaluation.status == Status.SCORING
            session.execute(update(Evaluation).where(*again).values(status=Status.QUEUED))
    elif act == "excuse" and by[Status.REJECTED]:
        with unit_of_work(lab.sessions) as session:
            excuse(session, drawn.choice(by[Status.REJECTED]).id, actor="tests")
    elif act == "void" and by[Status.SCORED]:
        chosen = drawn.choice(by[Status.SCORED])
        void(lab, chosen.id, back=chosen.standing is EvaluationStanding.VOID)
    elif act == "cases":
        task = drawn.choice(TASKS)
        with unit_of_work(lab.sessions) as session:
            challenge = session.get_one(Team, UUID(team.team)).challenge_id
            old = session.scalars(
                select(Dataset).where(
                    Dataset.challenge_id == challenge, Dataset.task == task, Dataset.state == "superseded"
                )
            ).first()
            same = Dataset.challenge_id == challenge, Dataset.phase == "validation", Dataset.task == task
            if old is not None and drawn.random() < 0.5:
                session.execute(update(Dataset).where(*same).values(state="superseded"))
                session.execute(update(Dataset).where(Dataset.id == old.id).values(state="active"))
                return
        lab.dataset(task, cases=1)
    elif act == "grant":
        grant(lab, team, drawn.choice([-1, 1, 2]))
