"""How sure places are is worked out by whoever has the time, kept, and only looked up for a board that is asked for."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import redis
from sqlalchemy import delete, func, select, text, update

from contract.wakeups import SCORE_QUEUE, WAKE_CERTAINTY
from evaluator.comparison import CertainPlaces, PlacesBehind, certain_places, places_behind
from evaluator.comparison import Entrant as Compared
from evaluator.scoring import Report
from evaluator.spec import Challenge
from server.app import create_app
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.models import IN_FORCE, Dataset
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Score
from server.leaderboard import keeping
from server.leaderboard.models import KeptCertainty
from server.settings import Settings
from tests.server.conftest import Person, serving
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from tests.server.seeded import Season, play, season_reports, settle
from tests.server.test_leaderboard import change, page
from worker.app import app as beat
from worker.score import tasks

MakeEntrant = Callable[[str], Entrant]


def kept(lab: Lab) -> list[KeptCertainty]:
    """What is kept of the lab's boards, the newest first."""
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        query = select(KeptCertainty).where(KeptCertainty.challenge_id == challenge.id)
        rows = list(session.scalars(query.order_by(KeptCertainty.created_at.desc())))
        for row in rows:
            _ = row.behind
        return rows


def forget(lab: Lab) -> None:
    """As if nothing had been worked out yet."""
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        session.execute(delete(KeptCertainty).where(KeptCertainty.challenge_id == challenge.id))
        session.execute(select(func.pg_notify("boards", str(challenge.id))))


def opened(http: httpx.Client, lab: Lab) -> dict[str, Any]:
    """The open track as somebody sees it."""
    answer = http.get(f"/challenges/{lab.slug}/leaderboards/validation")
    return next(dict(one) for one in answer.json()["tracks"] if one["track"] == "open")


def compared(lab: Lab, season: Season, fomo26: Challenge, *, with_cases: bool) -> list[Compared]:
    """What the evaluator compares of a season, from the reports that were stored."""
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        query = select(Dataset.task, Dataset.digest).where(
            IN_FORCE, Dataset.challenge_id == challenge.id, Dataset.phase == "validation"
        )
        digests = {row.task: row.digest for row in session.execute(query)}

    def as_kept(board: str, report: Report) -> Report:
        drawn = {"dataset": digests[board], "bootstrap": fomo26.boards[board].bootstrap}
        changes: dict[str, Any] = {"extras": report.extras.model_copy(update=drawn), "cases": ("",) * 3}
        if not with_cases:
            changes["per_case"] = {}
        return report.model_copy(update=changes)

    return [
        Compared(
            season.teams[name].team,
            {board: as_kept(board, report) for board, report in reports.items()},
            eligible=name != "Institute",
        )
        for name, reports in season.reports.items()
        if name not in ("Zero", "Cheats")
    ]


def test_what_is_kept_is_what_the_evaluator_makes_of_the_same_reports(
    lab: Lab, entrant: MakeEntrant, admin: Person, fomo26: Challenge
) -> None:
    season = play(lab, entrant, admin)
    (row,) = kept(lab)
    assert (row.phase, row.track, row.trouble) == ("validation", "open", None)
    plain = compared(lab, season, fomo26, with_cases=False)
    sure = certain_places(fomo26.ranking, fomo26.boards, plain)
    assert row.certain == sure
    assert isinstance(sure, CertainPlaces)
    assert sure.overall[0].high is not None
    behind = places_behind(fomo26.ranking, fomo26.boards, compared(lab, season, fomo26, with_cases=True))
    assert row.stands_behind == behind
    assert isinstance(behind, PlacesBehind)
    assert behind.tests["task2"]["dsc"].test == "paired permutation"
    assert {one.board for one in behind.without_board} == set(fomo26.boards)


def test_a_board_that_is_asked_for_works_nothing_out_and_says_so(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    play(lab, entrant, admin)
    before = opened(nobody, lab)
    assert (before["certainty_pending"], before["certainty"]["level"]) == (False, 0.95)
    forget(lab)
    shown = opened(nobody, lab)
    assert (shown["certainty_pending"], shown["certainty"]) == (True, None)
    assert [one["placement"] for one in shown["unified"]] == [one["placement"] for one in before["unified"]]
    assert not any(one["places"] for one in shown["unified"])
    assert "How sure the places are is being worked out." in page(nobody, lab).text
    asked = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation/certainty", params={"track": "open"})
    assert (asked.json()["pending"], asked.json()["overall"]) == (True, [])
    for http in (nobody, admin.http):
        assert opened(http, lab)["certainty"] is None
    assert kept(lab) == [], "nobody who asked had it worked out"
    method = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation").json()["tracks"][0]
    assert (method["track"], method["certainty_pending"]) == ("method", False), "nothing is ranked there"

    assert lab.work_out() == 1
    assert opened(nobody, lab) == before
    assert lab.work_out() == 0, "nothing has changed"


def test_a_decision_on_a_team_is_met_and_what_is_taken_back_is_there_at_once(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    season = play(lab, entrant, admin)
    before, ada = opened(nobody, lab), f"/admin/teams/{season.teams['Ada'].team}"
    assert admin.http.patch(ada, json={"disqualified": "It copied."}).status_code == 200
    assert opened(nobody, lab)["certainty_pending"]
    assert lab.work_out() == 1
    assert "Ada" not in opened(nobody, lab)["certainty"]["winners"]
    assert admin.http.patch(ada, json={"disqualified": None}).status_code == 200
    assert opened(nobody, lab) == before
    assert lab.work_out() == 0


def test_a_frozen_board_and_the_live_one_behind_it_are_both_there(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client, fomo26: Challenge
) -> None:
    season = play(lab, entrant, admin)
    freezes = datetime.now(UTC) - timedelta(hours=1)
    early = [UUID(one) for (name, _), one in season.evaluations.items() if name != "Bob"]
    with unit_of_work(lab.sessions) as session:
        ended = {"finished_at": freezes - timedelta(hours=1)}
        session.execute(update(Evaluation).where(Evaluation.id.in_(early)).values(ended))
    phase = fomo26.phases["validation"].model_copy(update={"freezes": freezes})
    change(lab, fomo26, phases=dict(fomo26.phases) | {"validation": phase})
    live = opened(admin.http, lab)
    assert live["certainty"] is not None, "what the places follow from is the same as before it froze"
    assert opened(nobody, lab)["certainty_pending"]
    assert lab.work_out() == 1
    assert "Bob" not in opened(nobody, lab)["certainty"]["winners"]
    assert "Bob" in opened(admin.http, lab)["certainty"]["winners"]
    told = {
        who: http.get(
            f"/challenges/{lab.slug}/leaderboards/validation/certainty", params={"track": "open"}
        ).json()
        for who, http in (("nobody", nobody), ("admin", admin.http))
    }
    assert (told["nobody"]["frozen"], told["admin"]["frozen"]) == (True, False)
    names = {who: {one["team"] for one in found["overall"]} for who, found in told.items()}
    assert names["admin"] - names["nobody"] == {"Bob"}


@pytest.fixture
def own_tasks(command: Admin, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The score worker's tasks with the settings of these tests, most of which `command` puts into the environment."""
    monkeypatch.setenv("PROCTOR_HOLD_ENDS", "false")
    for cached in (tasks.settings, tasks.sessions):
        cached.cache_clear()
    yield
    tasks.sessions().kw["bind"].dispose()
    for cached in (tasks.settings, tasks.sessions):
        cached.cache_clear()


@pytest.mark.usefixtures("own_tasks")
def test_a_message_that_was_lost_is_made_good_by_the_beat(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    play(lab, entrant, admin)
    newcomer = {"task2": season_reports()["Bob"]["task2"]}
    settle(lab, entrant("Newcomer"), newcomer, task="task2")  # no broker here: whatever was sent is lost
    assert opened(nobody, lab)["certainty_pending"]
    (entry,) = (one for one in beat.conf.beat_schedule.values() if one["task"] == WAKE_CERTAINTY)
    assert entry["schedule"] <= 10
    tasks.app.tasks[entry["task"]]()
    shown = opened(nobody, lab)
    assert not shown["certainty_pending"]
    assert all(one["places"] for one in shown["unified"] if one["team"] == "Newcomer")


def test_a_change_that_the_server_hears_wakes_score_workers(settings: Settings, redis_url: str) -> None:
    app = create_app(settings.model_copy(update={"redis_url": redis_url}))
    with redis.Redis.from_url(redis_url) as broker, serving(app):
        broker.delete(SCORE_QUEUE)
        deadline = time.monotonic() + 60
        while not any(WAKE_CERTAINTY.encode() in one for one in broker.lrange(SCORE_QUEUE, 0, -1)):
            with unit_of_work(
                app.state.sessions
            ) as session:  # until it listens, nothing that is told is heard
                session.execute(select(func.pg_notify("boards", str(uuid4()))))
            assert time.monotonic() < deadline, "nobody was woken"
            time.sleep(0.05)
        broker.delete(SCORE_QUEUE)


def test_one_process_works_at_a_time(lab: Lab, entrant: MakeEntrant, admin: Person) -> None:
    play(lab, entrant, admin)
    forget(lab)
    with unit_of_work(lab.sessions) as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": keeping._LOCK})
        assert lab.work_out() == 0
    assert lab.work_out() == 1


def test_a_track_that_took_long_rests_as_long(lab: Lab, entrant: MakeEntrant, admin: Person) -> None:
    season = play(lab, entrant, admin)
    (row,) = kept(lab)
    with unit_of_work(lab.sessions) as session:
        session.execute(update(KeptCertainty).where(KeptCertainty.key == row.key).values(seconds=3600.0))
    ada = f"/admin/teams/{season.teams['Ada'].team}"
    assert admin.http.patch(ada, json={"disqualified": "It copied."}).status_code == 200
    assert lab.work_out() == 0
    with unit_of_work(lab.sessions) as session:
        past = {"created_at": func.now() - timedelta(hours=2)}
        session.execute(update(KeptCertainty).where(KeptCertainty.key == row.key).values(past))
    assert lab.work_out() == 1


def test_scores_that_cannot_be_compared_leave_places_without_sets_for_good(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    season = play(lab, entrant, admin)
    forget(lab)
    with unit_of_work(lab.sessions) as session:
        bob = Score.evaluation_id == UUID(season.evaluations["Bob", "task2"])
        session.execute(update(Score).where(bob).values(influence=bytes(8 * 9)))
    assert lab.work_out() == 1
    (row,) = kept(lab)
    assert row.trouble is not None
    assert "influence values" in row.trouble
    shown = opened(nobody, lab)
    assert (shown["certainty_pending"], shown["certainty"]) == (False, None)
    told = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation/certainty", params={"track": "open"})
    assert (told.json()["pending"], told.json()["gaps"]) == (False, [])
    assert lab.work_out() == 0


def test_what_nobody_sees_any_more_is_forgotten(lab: Lab, entrant: MakeEntrant, admin: Person) -> None:
    season = play(lab, entrant, admin)
    row, many = kept(lab)[0], keeping._SPARE + 3
    with unit_of_work(lab.sessions) as session:
        for number in range(many):
            session.add(
                KeptCertainty(
                    key=f"{lab.slug}-{number}",
                    challenge_id=row.challenge_id,
                    phase=row.phase,
                    track=row.track,
                    trouble="of a test",
                    created_at=func.now() - timedelta(days=number + 1),
                )
            )
    ada = f"/admin/teams/{season.teams['Ada'].team}"
    assert admin.http.patch(ada, json={"disqualified": "It copied."}).status_code == 200
    assert lab.work_out() == 1
    left = {one.key for one in kept(lab)}
    assert len(left) == keeping._SPARE + 1
    assert row.key in left
    assert f"{lab.slug}-{many - 1}" not in left
