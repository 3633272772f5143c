"""What a team is told of its place in the queue: the order in which slots really deal, and an honest estimate."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import update

from contract.statuses import EvaluationStatus
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.queue import places
from tests.server.lab import Entrant, Json, Lab
from tests.server.test_submissions import score


@pytest.fixture(autouse=True)
def _always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(places, "AGAIN_SECONDS", 0.0)


def queue(team: Entrant, evaluation: str) -> Json:
    found = team.evaluation(evaluation)["queue"]
    assert found is not None
    return dict(found)


def test_a_team_reads_what_goes_before_it_and_about_when_it_starts(
    lab: Lab, entrant: Callable[[str], Entrant]
) -> None:
    lab.dataset("task5", cases=4, phase="sanity")
    ada, bob, cyd = (entrant(name) for name in ("Ada", "Bob", "Cyd"))
    running, _, _, own = (team.submit(phase="sanity") for team in (ada, ada, bob, cyd))
    lost = queue(cyd, own)
    assert lost["said"] == "When it starts cannot be estimated: no worker that could run it takes work."
    assert lost["least_minutes"] is lost["most_minutes"] is None
    worker = lab.worker()
    worker.take()
    found = queue(cyd, own)
    assert (found["evaluations"], found["teams"]) == (2, 2), (
        "Ada's second one comes after it: everybody gets a share"
    )
    assert found["said"].startswith("Waits: 2 evaluations of 2 teams before it; starts ")
    assert found["most_minutes"] > found["least_minutes"]
    guessed = found["most_minutes"]
    assert not any(name in str(found) for name in ("Ada", "Bob"))
    assert ada.evaluation(running)["queue"] is None, "it runs"
    scored = entrant("Dan").submit(phase="sanity")
    score(lab, scored)
    with unit_of_work(lab.sessions) as session:  # 5 s a case
        session.execute(update(Evaluation).where(Evaluation.id == UUID(scored)).values(seconds=20.0))
    measured = queue(cyd, own)
    assert (measured["least_minutes"], measured["most_minutes"]) == (0, 1)
    assert measured["most_minutes"] < guessed
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Evaluation).where(Evaluation.id == UUID(own)).values(priority=5))
    first = queue(cyd, own)
    assert first["said"] == "Waits: nothing goes before it; starts within about 1 min."
    cyd.http.post(f"/evaluations/{own}/cancel")
    assert cyd.evaluation(own)["status"] == EvaluationStatus.CANCELLED
    assert cyd.evaluation(own)["queue"] is None


@pytest.mark.parametrize(
    ("seconds", "sure", "least", "most", "said"),
    [
        (0, True, 0, 1, "starts within about 1 min."),
        (1_800, True, 15, 60, "starts in about 15 to 60 min."),
        (1_800, False, 2, 30, "starts in about 2 to 30 min."),
        (9_000, True, 60, 360, "starts in about 60 min to 6 h."),
        (43_200, True, 360, 1440, "starts in about 6 to 24 h."),
        (10**7, True, 10080, 10080, "starts in 168 h or more."),
    ],
)
def test_estimates_are_rough_and_say_so(seconds: float, sure: bool, least: int, most: int, said: str) -> None:
    found = places._queued(3, 1, seconds, sure=sure)
    assert (found.least_minutes, found.most_minutes) == (least, most)
    assert found.said == f"Waits: 3 evaluations of 1 team before it; {said}"
