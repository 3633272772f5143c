"""What goes wrong, one function each; every one leaves the platform to recover by itself."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.chaos.machines import KeptWorker, SecondEngine, filled
from tests.e2e.installation import LEASE_SECONDS, Installation


@dataclass(frozen=True)
class World:
    """Everything that can be disturbed."""

    running: Installation
    engine: SecondEngine
    remote: KeptWorker
    disk: Path
    chance: random.Random


Disturbance = Callable[[World], None]


def kills_a_worker(world: World) -> None:
    """SIGKILL to a run worker of this machine."""
    os.kill(world.running.worker(world.chance.choice(["run-1", "run-2"])), signal.SIGKILL)


def kills_the_remote_worker(world: World) -> None:
    """SIGKILL to the run worker of the other machine."""
    os.kill(world.remote.pid, signal.SIGKILL)


def stops_a_worker_past_its_lease(world: World) -> None:
    """SIGSTOP until the server has given the case to somebody else; then the worker goes on, none the wiser."""
    pid = world.running.worker(world.chance.choice(["run-1", "run-2"]))
    os.kill(pid, signal.SIGSTOP)
    time.sleep(LEASE_SECONDS + 4)
    os.kill(pid, signal.SIGCONT)


def kills_an_engine(world: World) -> None:
    """The other machine's engine dies with all its containers, and comes back."""
    world.engine.kill()
    time.sleep(world.chance.uniform(1, 3))
    world.engine.start()


def empties_redis(world: World) -> None:
    """Every message that waits is lost."""
    with redis.Redis.from_url(world.remote.environment["REDIS_URL"]) as client:
        for key in client.scan_iter():
            client.delete(key)


def kills_redis(world: World) -> None:
    """The broker dies and comes back empty."""
    os.kill(world.running.program("redis-server"), signal.SIGKILL)


def restarts_postgres(world: World) -> None:
    """A fast shutdown cuts every connection; the supervisor starts it again."""
    os.kill(world.running.program("postgres", "-D"), signal.SIGINT)


def kills_postgres(world: World) -> None:
    """It ends at once and writes nothing more, as by a power cut; the supervisor starts it, and it reads its log."""
    os.kill(world.running.program("postgres", "-D"), signal.SIGQUIT)


def kills_the_server(world: World) -> None:
    """SIGKILL to the process that answers everybody."""
    os.kill(world.running.program("-m\0server\0"), signal.SIGKILL)


def stops_the_server(world: World) -> None:
    """SIGSTOP for good: it lives, takes connections and answers nobody, until the supervisor starts another one."""
    os.kill(world.running.program("uvicorn"), signal.SIGSTOP)


def kills_the_score_worker(world: World) -> None:
    """SIGKILL to the process that scores."""
    os.kill(world.running.program("worker.score"), signal.SIGKILL)


def fills_a_disk(world: World) -> None:
    """The other machine's worker cannot write a byte for a while."""
    with filled(world.disk):
        time.sleep(world.chance.uniform(3, 6))


ALL: tuple[Disturbance, ...] = (
    kills_a_worker,
    empties_redis,
    stops_a_worker_past_its_lease,
    kills_an_engine,
    kills_redis,
    restarts_postgres,
    kills_the_remote_worker,
    kills_the_server,
    stops_the_server,
    fills_a_disk,
    kills_the_score_worker,
    kills_postgres,
)
