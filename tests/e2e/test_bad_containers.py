"""Containers that misbehave on hidden cases: each gets its own verdict, and the next submission runs as ever."""

import pytest

from tests.e2e.habits import CURIOUS, HABITS, Bench


@pytest.fixture(scope="session")
def sent(bench: Bench) -> Bench:
    """Everything submitted in one go; the tests below wait for what they look at."""
    bench.submit(HABITS)
    bench.submit(CURIOUS, phase="sanity")
    bench.sent["programless"] = bench.person.submitted({"task5": bench.programless})
    return bench


@pytest.mark.parametrize("habit", HABITS)
def test_a_bad_habit_is_rejected_with_its_verdict_and_a_sentence(habit: str, sent: Bench) -> None:
    task, verdict, part = HABITS[habit]
    ended = sent.ended(habit)
    assert (ended["status"], ended["reason_code"]) == ("rejected", "all_failed"), ended
    assert (ended["failure"], ended["verdicts"]) == (verdict, {})
    assert ended["reason"].startswith(f"The first 3 cases failed, most often by {verdict}.")
    assert part in ended["reason"]
    assert sent.person.quota(task, track=habit)["left"] == 3


def test_an_image_without_a_program_does_not_start(sent: Bench) -> None:
    ended = sent.ended("programless")
    assert (ended["status"], ended["failure"]) == ("rejected", "no_start"), ended
    assert "could not be started" in ended["reason"]


@pytest.mark.parametrize(
    ("habit", "line"), [("opens_sockets", "reached:"), ("looks_for_other_cases", "found:")]
)
def test_a_curious_container_is_valid_and_finds_nothing(habit: str, line: str, sent: Bench) -> None:
    ended = sent.ended(habit)
    assert ended["status"] == "scored", ended
    assert ended["verdicts"] == {"valid": 4}
    cases = sent.person.get(f"/evaluations/{ended['id']}/cases")
    assert len(cases) == 4
    for case in cases:
        assert case["log"].splitlines()[0].strip() == line


def test_an_honest_image_is_scored_afterwards(sent: Bench) -> None:
    sent.sent["honest"] = sent.person.submitted({"task2": sent.honest})
    ended = sent.ended("honest")
    assert (ended["status"], ended["verdicts"]) == ("scored", {"valid": 4})
    assert ended["scores"]["task2"]["dsc"]["value"] == 1.0
