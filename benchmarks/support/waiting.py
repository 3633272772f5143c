"""A database full of cases that wait."""

from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.support.images import image_of
from evaluator.spec import load_challenge
from server.accounts.models import Account
from server.challenges.models import Challenge
from server.challenges.service import apply
from server.datasets.models import Case, Dataset
from server.evaluations.models import CaseRun, Evaluation
from server.ids import new_id
from server.submissions.models import Submission
from server.teams.models import Team
from worker.embedded.data import CHECKOUT


def fill(session: Session, teams: int, cases: int) -> None:
    challenge, _ = apply(
        session, load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml"), actor="benchmark"
    )
    user = Account(email="bench@example.org", name="Bench", password_hash="-")  # noqa: S106 - nobody logs in
    dataset = Dataset(
        challenge_id=challenge.id, phase="validation", task="task5", digest="sha256:bench", folder="bench"
    )
    dataset.cases = [Case(ordinal=number, name=f"sub-{number}", files={}) for number in range(cases)]
    session.add_all([user, dataset])
    session.flush()
    for number in range(teams):
        _queue(session, challenge, user, dataset, number)


def _queue(session: Session, challenge: Challenge, user: Account, dataset: Dataset, number: int) -> None:
    team = Team(challenge_id=challenge.id, name=f"Team {number}", name_key=f"team {number}")
    session.add(team)
    session.flush()
    image = image_of(team.id, number)
    submission = Submission(
        challenge_id=challenge.id,
        team_id=team.id,
        created_by=user.id,
        track="method",
        phase="validation",
        images={"task5": image.digest},
        idempotency_key="bench",
    )
    session.add_all([image, submission])
    session.flush()
    evaluation = Evaluation(
        id=new_id(),
        submission_id=submission.id,
        challenge_id=challenge.id,
        team_id=team.id,
        spec_version_id=challenge.current_version_id,
        dataset_id=dataset.id,
        image_id=image.id,
        task="task5",
        track="method",
        phase="validation",
        cleared=True,
        remaining=len(dataset.cases),
        first_cases=3,
        needs_cpus=32,
        needs_memory=64 * 2**30,
        needs_gpus=1,
        needs_gpu_memory=80 * 2**30,
    )
    session.add(evaluation)
    session.flush()
    rows = [
        {
            "id": new_id(),
            "evaluation_id": evaluation.id,
            "case_id": case.id,
            "position": position,
            "pseudonym": f"case_{position}",
        }
        for position, case in enumerate(dataset.cases)
    ]
    session.execute(insert(CaseRun), rows)
