"""What applying a challenge file would change is said first, and asked where somebody has to mean it."""

import copy
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.challenges import Plan
from evaluator.spec import Challenge, parse_challenge
from server.challenges import service
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.errors import Conflict
from server.plans.diff import differences, span
from server.plans.service import apply_planned, plan
from tests.server.lab import Entrant, Lab
from tests.server.phantoms import trees
from tests.server.test_leaderboard import scored

NOW = datetime.now(UTC).replace(microsecond=0)
SETTINGS = trees(Path("/nowhere"))
JSON = {"Content-Type": "application/json"}
Amended = Callable[..., Challenge]


@pytest.fixture
def amended(fomo26: Challenge, slug: str) -> Amended:
    """FOMO26's file under this test's name, after something was done to its content."""

    def amended(change: Callable[[Any], object] = lambda content: None) -> Challenge:
        content = copy.deepcopy(fomo26.model_dump(mode="json")) | {"challenge": slug}
        change(content)
        return parse_challenge(content)

    return amended


def planned(sessions: SessionFactory, spec: Challenge) -> Plan:
    with unit_of_work(sessions) as session:
        return plan(session, spec, settings=SETTINGS)


def applied(sessions: SessionFactory, spec: Challenge) -> None:
    with unit_of_work(sessions) as session:
        service.apply(session, spec, actor="tests")


def renamed(section: str, old: str, new: str) -> Callable[[Any], None]:
    def rename(content: Any) -> None:
        content[section] = {new if name == old else name: one for name, one in content[section].items()}

    return rename


def dates(phase: str, **moments: timedelta | None) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for field, moment in moments.items():
            content["phases"][phase][field] = None if moment is None else (NOW + moment).isoformat()

    return change


def test_the_present_file_changes_nothing_and_asks_nothing(
    sessions: SessionFactory, amended: Amended
) -> None:
    found = planned(sessions, amended())
    assert found.is_unchanged
    assert (found.changes, found.notes, found.questions) == ([], [], [])


def test_every_field_that_differs_is_named_with_what_it_said_and_says(
    sessions: SessionFactory, amended: Amended
) -> None:
    def change(content: Any) -> None:
        content["title"] = "Amended"
        content["limits"]["memory"] = 2**35
        content["limits"]["gpu"] = None
        content["tasks"]["task1"]["inputs"][1]["flag"] = "--diffusion"
        content["tasks"]["task4"]["output"]["labels"] = [0, 1, 2, 3]
        content["boards"]["task2"]["metrics"]["nsd"]["tolerance_mm"] = 2.0
        del content["boards"]["task2"]["metrics"]["dsc"]
        content["ranking"]["weights"]["task1"] = 11
        content["phases"]["finals"] = {"title": "Finals"}

    found = planned(sessions, amended(change))
    said = {one.field: (one.old, one.new) for one in found.changes}
    assert said["title"] == ("FOMO26", "Amended")
    assert said["limits.memory"] == ("64g", "32g")
    assert said["limits.gpu"] == ("{count: 1, memory: 80g, required: true}", None)
    assert said["tasks.task1.inputs.1.flag"] == ("--dwi", "--diffusion")
    assert said["tasks.task4.output.labels"] == ("[0, 1, 2]", "[0, 1, 2, 3]")
    assert said["boards.task2.metrics.nsd.tolerance_mm"] == ("1", "2")
    assert said["boards.task2.metrics.dsc"][1] is None
    assert said["ranking.weights.task1"] == ("10", "11")
    assert said["phases.finals"][0] is None
    assert len(said) == 9
    assert found.questions == []


def test_a_phase_that_vanishes_is_counted_and_its_misspelling_guessed(
    sessions: SessionFactory, lab: Lab, team: Entrant, amended: Amended
) -> None:
    scored(lab, team, 0.9)
    (question,) = planned(sessions, amended(renamed("phases", "validation", "validaton"))).questions
    assert question == (
        "phase validation with 1 scored evaluation and 1 dataset would disappear; "
        "did you mean validation by 'validaton', which is new?"
    )
    team.submit("task5", track="method")
    (question,) = planned(sessions, amended(lambda content: content["phases"].pop("validation"))).questions
    assert question.startswith(
        "phase validation with 1 scored evaluation, 1 other evaluation and 1 dataset would"
    )


def test_an_empty_phase_that_vanishes_is_noted_and_asked_where_it_may_be_misspelt(
    sessions: SessionFactory, amended: Amended
) -> None:
    found = planned(sessions, amended(lambda content: content["phases"].pop("test")))
    assert found.notes == ["phase test would disappear."]
    assert found.questions == []
    assert "phases.test" in [one.field for one in found.changes]
    (question,) = planned(sessions, amended(renamed("phases", "test", "tests"))).questions
    assert question == "phase test would disappear; did you mean test by 'tests', which is new?"


def test_a_board_a_task_or_a_track_that_vanishes_is_asked(sessions: SessionFactory, amended: Amended) -> None:
    def drop(content: Any) -> None:
        del content["tasks"]["task5"], content["boards"]["task5"], content["ranking"]["weights"]["task5"]
        content["tracks"] = ["method"]

    found = planned(sessions, amended(drop)).questions
    assert [one.split(" would")[0] for one in found] == ["track open", "task task5", "board task5"]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        # an older overlay opens a closed phase again
        (
            {"opens": -60, "closes": -1},
            {"opens": -60, "closes": 30},
            "It would open at once: then it is open until",
        ),
        (
            {"opens": -60, "closes": -1},
            {"opens": -60, "closes": None},
            "It would open at once: then it is open, without an end.",
        ),
        ({"opens": -60, "closes": 30}, {"opens": -60, "closes": -1}, "It would be closed at once"),
        (
            {"opens": -60, "closes": None},
            {"opens": None, "closes": None},
            "then it takes nothing: it has no opening date.",
        ),
        ({"opens": 5, "closes": None}, {"opens": -1, "closes": None}, "It would open at once"),
        ({"opens": -60, "closes": 30}, {"opens": -60, "closes": 20}, "closes would move from"),
        ({"opens": 30, "closes": 40}, {"opens": 20, "closes": 40}, "10 days earlier"),
        ({"opens": 30, "closes": None}, {"opens": None, "closes": None}, "to no date at all"),
        (
            {"opens": -60, "closes": None},
            {"opens": -60, "closes": 5},
            "is open without an end; it would close",
        ),
        ({"opens": -30, "closes": -5}, {"opens": -30, "closes": -6}, "closes would move from"),
    ],
)
def test_a_phase_that_opens_or_closes_or_whose_dates_move_back_is_asked(
    sessions: SessionFactory,
    amended: Amended,
    before: dict[str, int | None],
    after: dict[str, int | None],
    says: str,
) -> None:
    def of(days: dict[str, int | None]) -> Challenge:
        return amended(
            dates(
                "test", **{name: None if one is None else timedelta(days=one) for name, one in days.items()}
            )
        )

    applied(sessions, of(before))
    (question,) = planned(sessions, of(after)).questions
    assert question.startswith("phase test")
    assert says in question


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"opens": -60, "closes": 30}, {"opens": -60, "closes": 37}, "7 days later; the phase is open until"),
        ({"opens": -60, "closes": 30}, {"opens": -60, "closes": None}, "no date any more"),
        ({"opens": None, "closes": None}, {"opens": 10, "closes": None}, "a date for the first time"),
        ({"opens": 10, "closes": 20}, {"opens": 15, "closes": 20}, "5 days later; the phase opens"),
    ],
)
def test_dates_that_move_on_are_said_in_words_and_not_asked(
    sessions: SessionFactory,
    amended: Amended,
    before: dict[str, int | None],
    after: dict[str, int | None],
    words: str,
) -> None:
    def of(days: dict[str, int | None]) -> Challenge:
        return amended(
            dates(
                "test", **{name: None if one is None else timedelta(days=one) for name, one in days.items()}
            )
        )

    applied(sessions, of(before))
    found = planned(sessions, of(after))
    (change,) = found.changes
    assert words in str(change.words)
    assert found.questions == []


def test_a_file_that_names_a_hidden_case_is_asked_about_once(lab: Lab) -> None:
    lab.dataset(cases=3)
    with unit_of_work(lab.sessions) as session:
        spec = get_challenge(session, lab.slug).spec
    phase = spec.phases["validation"].model_copy(update={"title": "Validation, sub-01 mended"})
    named = spec.model_copy(update={"phases": {**spec.phases, "validation": phase}})
    asked = "Everybody reads the challenge file, and sub-01 in it is the name of a hidden case."
    assert asked in planned(lab.sessions, named).questions
    applied(lab.sessions, named)
    assert asked not in planned(lab.sessions, named.model_copy(update={"title": "FOMO"})).questions


def test_the_same_moment_with_another_offset_is_no_other_date(amended: Amended) -> None:
    other = amended(lambda content: content["phases"]["sanity"].update(opens="2026-06-14T22:00:00+00:00"))
    (change,) = differences(amended(), other, at=NOW)
    assert (change.old, change.new) == ("2026-06-15T00:00:00+02:00", "2026-06-14T22:00:00Z")
    assert str(change.words).startswith("the same moment, written with another offset")


def test_what_is_hidden_or_sealed_is_shown_to_nobody_unasked(
    sessions: SessionFactory, amended: Amended
) -> None:
    (question,) = planned(
        sessions, amended(lambda content: content["phases"]["validation"].update(hidden=False))
    ).questions
    assert question == (
        "phase validation is hidden; its cases, verdicts and logs would be shown to participants."
    )
    (question,) = planned(
        sessions, amended(lambda content: content["phases"]["test"].update(board="public"))
    ).questions
    assert question == "the leaderboard of phase test is sealed; everybody would see it."


def test_phases_without_a_board_lose_nothing_by_another_version(
    sessions: SessionFactory, lab: Lab, team: Entrant, amended: Amended
) -> None:
    lab.dataset(phase="sanity")
    team.submit("task5", phase="sanity")
    lab.worker().drain()
    scored(lab, team, 0.9)
    other = amended(lambda content: content["limits"].update(seconds_per_case=60))
    (question,) = planned(sessions, other).questions
    assert "no longer rank: validation: task5 1. 'proctor-admin reevaluate " in question


def test_a_plan_that_is_no_longer_true_is_not_carried_out(sessions: SessionFactory, amended: Amended) -> None:
    one, two = (amended(lambda content, name=name: content.update(title=name)) for name in ("One", "Two"))
    found = planned(sessions, one)
    applied(sessions, two)
    with pytest.raises(Conflict, match="changed meanwhile"), unit_of_work(sessions) as session:
        apply_planned(session, one, found, actor="tests", confirmed=True)
    with unit_of_work(sessions) as session:
        assert service.get_challenge(session, one.challenge).spec.title == "Two"


def test_of_two_who_apply_at_once_the_later_is_told(sessions: SessionFactory, amended: Amended) -> None:
    specs = [amended(lambda content, name=name: content.update(title=name)) for name in ("One", "Two")]
    barrier, said = threading.Barrier(2), []

    def go(spec: Challenge) -> None:
        try:
            with unit_of_work(sessions) as session:
                found = plan(session, spec, settings=SETTINGS)
                barrier.wait(30)
                said.append(apply_planned(session, spec, found, actor="tests", confirmed=True))
        except Conflict as problem:
            said.append(problem.code)

    threads = [threading.Thread(target=go, args=[spec]) for spec in specs]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(map(str, said)) == ["True", "challenge_changed"]


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(days=1, hours=2, minutes=3), "1 day 2 hours"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(0), "less than a second"),
    ],
)
def test_lengths_of_time_are_said_by_their_two_largest_parts(time: timedelta, words: str) -> None:
    assert span(time) == words
