"""Who waits for whom: the queue's own functions on a real database, with simulated slots in virtual time."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from evaluator.spec import Challenge
from server.database import unit_of_work
from server.ids import new_id
from server.queue.claim import STATEMENT
from server.queue.policy import USAGE_UNIT, parameters
from server.settings import Settings
from server.tables import open_database
from tests.server.simulation import SLOT, Held, Queue, turn_the_clock

MakeQueue = Callable[..., Queue]
LOADING = 90.0


@pytest.fixture
def queue(fresh_postgres_url: str, fomo26: Challenge, tmp_path: Path) -> Iterator[MakeQueue]:
    """Makes queues on one database of this test's own, on a clock that they turn; one is used up before the next."""
    turn_the_clock(fresh_postgres_url)
    settings = Settings.model_validate(
        {"data": tmp_path, "secret_key": "k" * 40, "DATABASE_URL": fresh_postgres_url}
    )
    sessions = open_database(fresh_postgres_url, pool_size=1)
    names = iter(f"sim-{number}" for number in range(100))

    def make(seconds: Callable[[str], float], loading: float = LOADING) -> Queue:
        spec = fomo26.model_copy(update={"challenge": next(names)})
        return Queue.of(sessions, settings, spec, seconds=seconds, loading=loading)

    yield make
    sessions.kw["bind"].dispose()


def ended(queue: Queue, team: str, cases: int) -> Callable[[], bool]:
    return lambda: sum(one.team == team for one in queue.held) >= cases


def begin(one: Held) -> float:
    return one.begin


def longest(queue: Queue, team: str) -> float:
    """The longest time that one case of a team, with its image, held a slot."""
    return max((one.end - one.begin for one in queue.begun if one.team == team), default=0.0)


def switches(queue: Queue) -> float:
    """Images loaded per case."""
    return sum(one.loaded for one in queue.held) / len(queue.held)


def alone(make: MakeQueue, slots: int, seconds: Callable[[str], float]) -> float:
    """How long five cases take when nobody else is there."""
    queue = make(seconds)
    queue.submit("small", 5)
    queue.run(slots)
    return queue.last_end("small")


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_seven_tasks_of_500_cases_delay_five_cases_by_no_more_than_one_case_per_slot(
    queue: MakeQueue, slots: int
) -> None:
    draw = random.Random(slots)  # noqa: S311 - repeatable
    quickest = alone(queue, slots, lambda team: 10.0)
    for arrival in (0.0, draw.uniform(100, 400)):
        crowded = queue(lambda team: 10.0 if team == "small" else draw.uniform(20, 40))
        crowded.submit("large", 500, times=7)
        crowded.submit("small", 5, at=arrival)
        crowded.run(slots, until=ended(crowded, "small", 5))
        taken = crowded.last_end("small") - arrival
        one_case = longest(crowded, "large")
        assert taken <= quickest + one_case, f"arrived at {arrival}"


@pytest.mark.parametrize("slots", [1, 2])
def test_a_small_team_is_not_delayed_by_what_it_had_before(queue: MakeQueue, slots: int) -> None:
    quickest = alone(queue, slots, lambda team: 10.0)
    crowded = queue(lambda team: 10.0 if team == "small" else 30.0)
    crowded.submit("small", 20)
    crowded.run(slots)
    crowded.submit("large", 500, times=7, at=crowded.now)
    arrival = crowded.now + 200.0
    crowded.submit("small", 5, at=arrival)
    crowded.run(slots, until=ended(crowded, "small", 25))
    assert crowded.last_end("small") - arrival <= quickest + longest(crowded, "large")


def test_equal_teams_get_equal_shares_and_slots_stay_on_their_image(queue: MakeQueue) -> None:
    busy = queue(lambda team: 60.0)
    for team in ("one", "two", "three"):
        busy.submit(team, 400, times=2)
    busy.run(2, until=lambda: busy.now > 5400)
    shares = busy.shares()
    assert min(shares.values()) > 0.25 * sum(shares.values())
    assert switches(busy) < 0.1


def test_a_team_that_comes_again_and_again_starves_nobody(queue: MakeQueue) -> None:
    busy = queue(lambda team: 60.0, loading=0.0)
    busy.submit("large", 1000)
    for begin in range(0, 2 * 3600, 300):
        busy.submit("again", 5, at=float(begin))
    busy.run(1, until=lambda: busy.now > 2 * 3600)
    shares = busy.shares()
    assert shares["large"] > 0.3 * sum(shares.values())


def test_what_an_admin_put_last_delays_nobody(queue: MakeQueue) -> None:
    busy = queue(lambda team: 30.0, loading=0.0)
    busy.submit("season", 40, priority=-1)
    busy.submit("team", 20, at=100.0)
    busy.run(2)
    season = [one for one in busy.held if one.team == "season"]
    during = [one for one in season if 100.0 < one.begin < busy.last_end("team") - 30.0]
    # While only the first cases of the team may run, the slot beside them is free for the rest.
    assert len(during) <= 1
    assert len(season) == 40


@pytest.mark.long
@pytest.mark.parametrize("slots", [1, 2, 8])
def test_a_season_ends_with_every_case_run_once_and_nobody_forgotten(queue: MakeQueue, slots: int) -> None:
    draw = random.Random(2026 + slots)  # noqa: S311 - repeatable
    season = queue(lambda team: draw.uniform(5, 60))
    expected = {}
    for number in range(8):
        cases, times = draw.choice([5, 30, 120 * slots]), draw.choice([1, 2])
        season.submit(f"team-{number}", cases, times=times, at=draw.uniform(0, 3600))
        expected[f"team-{number}"] = cases * times
    season.run(slots)
    assert Counter(one.team for one in season.held) == expected
    for team, cases in expected.items():
        loads = sum(one.loaded for one in season.held if one.team == team)
        assert loads <= 3 * slots + cases / 10, "images are loaded by slots, not by cases"
    gaps = [
        later.begin - earlier.end
        for team in expected
        for earlier, later in itertools.pairwise(
            sorted((one for one in season.held if one.team == team), key=begin)
        )
    ]
    # Nobody waits longer than all others need to use up the first step of what is compared.
    assert max(gaps) < 2 * len(expected) * USAGE_UNIT / slots


def test_choosing_costs_what_waits_and_not_its_square(queue: MakeQueue) -> None:
    """Under a plan made without statistics too, as after a rush of submissions on a quiet platform."""
    waiting = queue(lambda team: 1.0)
    evaluations = 1000
    for number in range(evaluations // 4):
        waiting.submit(f"team {number}", 1, times=4)
    waiting.run(slots=1, until=lambda: len(waiting.held) == 1)
    values = parameters(new_id(), SLOT) | {"width": 32, "drains": False}
    with unit_of_work(waiting.sessions) as session:
        explained = " ".join(
            ("EXPLAIN (ANALYZE, FORMAT JSON)", STATEMENT.partition(", leased AS")[0], "SELECT * FROM chosen")
        )
        told = session.scalars(text(explained), values).one()[0]["Plan"]
    assert told["Actual Rows"] == 1
    assert steps(told) < 20 * evaluations


def steps(plan: dict[str, Any]) -> float:
    """Rows that the nodes of a plan made or threw away."""
    seen = sum(plan[key] for key in plan if key == "Actual Rows" or key.startswith("Rows Removed"))
    return plan["Actual Loops"] * seen + sum(map(steps, plan.get("Plans", ())))
