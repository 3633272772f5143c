"""What the tests of slots have in common: small limits, and waiting for what happens."""

import time
from collections.abc import Callable

from evaluator.spec import Limits, load_challenge
from sandbox.engine import Engine
from worker.embedded.data import CHECKOUT
from worker.run.runner import Runner

MIB = 2**20
CHALLENGE = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml")
LIMITS: Limits = CHALLENGE.limits.model_copy(
    update={
        "seconds_per_case": 20,
        "cpus": 1,
        "gpu": None,
        "memory": 128 * MIB,
        "shm": 16 * MIB,
        "output": MIB,
        "disk": 16 * MIB,
        "processes": 20,
    }
)
Start = Callable[..., Runner]


def until(happens: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def containers(engine: Engine, case: str) -> list[str]:
    """States of the containers of a case."""
    return [one.state for one in engine.raw.containers() if case in one.name]
