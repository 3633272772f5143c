"""How often a program that waits looks."""

import pytest

from client.pace import PollPace


def test_the_pause_grows_while_nothing_changes_and_begins_anew_when_something_does() -> None:
    pace = PollPace()
    pauses = [pace.after("running 10 %") for _ in range(30)]
    assert 1.6 <= pauses[0] <= 2.4
    assert all(8 <= pause <= 12 for pause in pauses[-5:])
    assert 1.6 <= pace.after("running 20 %") <= 2.4


def test_those_who_began_together_do_not_go_on_together() -> None:
    assert len({PollPace().after("queued") for _ in range(10)}) == 10


@pytest.mark.parametrize("seconds", [0.1, 60.0])
def test_a_pause_that_was_asked_for_holds(seconds: float) -> None:
    pace = PollPace(seconds)
    assert {pace.after("queued") for _ in range(20)} == {seconds}
