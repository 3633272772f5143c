"""Sentences and logs of which an image chooses a million letters: whoever searches them is through at once.

A search that takes the square of a text's length would hold a slot, and its heartbeat, for hours.
"""

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evaluator.verdicts import PlatformFault
from sandbox.archive import ArchiveInvalid, HashOnly, check_archive
from sandbox.engines import EngineRefused
from sandbox.faults import EngineFault
from sandbox.hints import hints
from sandbox.start import not_started, without_paths
from tests.sandbox.archives import LAYER, config, legacy, pack

MANY = 1_000_000
SECONDS = 2.0  # of this process's own time


@pytest.mark.parametrize(
    "piece",
    [
        *("lookup x", "lookup ", "/dev/shm", "no space left ", "shared memory ", "x", " ", "\n", ":"),
        *("[FATAL tini (7)] exec x", "[FATAL tini (7)] exec x failed: \n", "unable to open shared"),
    ],
)
def test_a_log_of_a_million_letters_is_searched_at_once(piece: str) -> None:
    log = piece + "x" * (MANY // 2) + piece * (MANY // 2 // len(piece))
    began = time.process_time()
    hints(log)
    not_started(127, log)
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("piece", ["x", "/var/lib", "/var/lib/docker ", "'"])
def test_a_sentence_of_an_engine_with_a_million_letters_is_cut(piece: str) -> None:
    engine: Any = SimpleNamespace(host={"DockerRootDir": "/var/lib/docker"})
    error = EngineRefused(500, f"unable to find user {piece * (MANY // len(piece))}: no such user")
    began = time.process_time()
    said = without_paths(engine, error.said, Path("/scratch"))
    assert time.process_time() - began < SECONDS
    assert said.startswith("unable to find user")
    assert said.endswith(": no such user")
    assert len(EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "x" * MANY).detail) < 5000


def test_a_user_of_a_million_letters_is_refused_by_the_check() -> None:
    image = config(LAYER, config={"User": "x" * 900_000})
    with pytest.raises(ArchiveInvalid, match=r"config\.User has 900,000 characters"):
        check_archive(io.BytesIO(pack(legacy(LAYER, image=image))), limit=2**20, sink=_Nothing())


class _Nothing:
    def has(self, digest: str) -> bool:
        return False

    def writer(self) -> HashOnly:
        return HashOnly()
