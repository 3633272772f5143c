"""Wake-ups leave without anybody waiting for them."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import redis

from server import wakeups


def test_a_broker_that_does_not_answer_delays_nobody_and_nothing_piles_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        for _ in range(200):
            wakeups.wake_run_workers(url)
            wakeups.wake_score_workers(url)
        assert time.monotonic() - began < 1.5, "a broker that answers nothing takes two seconds for each"
        assert len(wakeups.sender._wanted) <= 2
    _until(lambda: wakeups.sender._thread is None)


def test_a_wake_up_after_a_quiet_time_leaves_too(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as broker:
        broker.delete(wakeups.SCORE_QUEUE)
        for count in (1, 2):
            wakeups.wake_for_certainty(redis_url)
            _until(lambda: wakeups.sender._thread is None)
            assert broker.llen(wakeups.SCORE_QUEUE) == count
        broker.delete(wakeups.SCORE_QUEUE)


def test_every_score_worker_hears_that_something_is_to_be_scored(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as broker, broker.pubsub() as one, broker.pubsub() as other:
        for hearer in (one, other):
            hearer.psubscribe("*score-all*")
            assert _heard(hearer)["type"] == "psubscribe"
        wakeups.wake_score_workers(redis_url)
        assert [wakeups.WAKE_SCORE.encode() in _heard(hearer)["data"] for hearer in (one, other)] == [
            True
        ] * 2


def test_a_program_that_ends_at_once_sends_what_it_has(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as broker:
        broker.delete(wakeups.SCORE_QUEUE)
        code = "import sys; from server.wakeups import wake_for_certainty; wake_for_certainty(sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, redis_url], check=True)
        assert broker.llen(wakeups.SCORE_QUEUE) == 1
        broker.delete(wakeups.SCORE_QUEUE)


def _heard(hearer: redis.client.PubSub) -> Any:
    message = hearer.get_message(timeout=30)
    assert message is not None
    return message


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.02)
