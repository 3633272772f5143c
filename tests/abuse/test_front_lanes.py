"""A lane by itself: one source with hundreds of requests, sources that leave, queues that overflow."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from server.errors import Busy
from server.front.lanes import Lane, Terms

Scenario = Callable[[], Coroutine[object, object, None]]


def _runs(scenario: Scenario) -> Callable[[], None]:
    """A test of what happens in an event loop."""

    def test() -> None:
        asyncio.run(scenario())

    test.__name__ = scenario.__name__
    return test


def _lane(permits: int = 1, waiting: int = 100, each: int | None = None) -> Lane:
    return Lane(Terms("tests", permits=permits, waiting=waiting, patience=1, each=each, room=1000))


@_runs
async def test_a_permit_is_there_at_once_while_there_are_any() -> None:
    lane = _lane(permits=2)
    assert lane.ask("a").done()
    assert lane.ask("a").done()
    assert not lane.ask("a").done()
    assert (lane.running, lane.waiting) == (2, 1)


@_runs
async def test_a_source_that_sent_hundreds_waits_its_turn_like_all_others() -> None:
    lane = _lane()
    turns = [("greedy", lane.ask("greedy")) for _ in range(50)]
    turns += [(name, lane.ask(name)) for name in ("ada", "bob")]
    order = []
    for _ in range(6):
        source, turn = next(one for one in turns if one[1].done())
        turns = [one for one in turns if one[1] is not turn]
        order.append(source)
        lane.release(source)
    assert order == ["greedy", "greedy", "ada", "bob", "greedy", "greedy"]


@_runs
async def test_a_full_queue_drops_the_newest_of_the_longest_source_for_another() -> None:
    lane = _lane(waiting=3)
    lane.ask("greedy")
    waiting = [lane.ask("greedy") for _ in range(3)]
    mine = lane.ask("ada")
    assert isinstance(waiting[2].exception(), Busy)
    assert not waiting[0].done()
    with pytest.raises(Busy) as refused:
        lane.ask("greedy")
    assert int(refused.value.headers["Retry-After"]) > 0
    lane.release("greedy")
    lane.release("greedy")
    assert mine.done()
    assert lane.waiting == 1


@_runs
async def test_who_stops_waiting_leaves_no_trace() -> None:
    lane = _lane()
    lane.ask("ada")
    turn = lane.ask("bob")
    lane.give_up("bob", turn)
    assert lane.waiting == 0
    lane.release("ada")
    assert lane.running == 0
    assert lane.ask("carol").done()


@_runs
async def test_a_permit_that_comes_while_its_source_leaves_goes_on() -> None:
    lane = _lane()
    lane.ask("ada")
    turn, other = lane.ask("bob"), lane.ask("carol")
    lane.release("ada")
    assert turn.done()
    lane.give_up("bob", turn)
    assert other.done()
    lane.release("carol")
    assert lane.running == 0


@_runs
async def test_one_source_runs_so_many_at_once_however_many_permits_are_free() -> None:
    lane = _lane(permits=10, each=2)
    turns = [lane.ask("greedy") for _ in range(5)]
    assert [turn.done() for turn in turns] == [True, True, False, False, False]
    assert lane.ask("ada").done()
    lane.release("greedy")
    assert [turn.done() for turn in turns] == [True, True, True, False, False]


@_runs
async def test_bodies_take_a_bounded_room_and_one_source_a_quarter_of_it() -> None:
    lane = _lane()
    lane.hold("greedy", 250)
    with pytest.raises(Busy):
        lane.hold("greedy", 1)
    for name in ("a", "b", "c"):
        lane.hold(name, 250)
    with pytest.raises(Busy):
        lane.hold("d", 1)
    lane.drop("greedy", 250)
    lane.hold("d", 1)
