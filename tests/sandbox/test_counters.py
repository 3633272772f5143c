"""What the kernel counts by user: root in a container takes its part, and the host's own root keeps the rest."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.images import build_image
from sandbox import options
from tests.hostile import counters
from tests.sandbox.conftest import Run


def test_a_container_takes_a_part_of_the_counters_and_the_host_keeps_its_own(
    run: Run, load: Callable[[Path], str], base: str
) -> None:
    files = {"/app/predict.py": Path(counters.__file__).read_bytes()}
    image = load(build_image(files, base, name="proctor-counters"))
    failures = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, image=image)
        while not running.done():
            if counters.timer() < 0:
                failures.append("a timer of the host")
            time.sleep(0.1)
    outcome = running.result()
    assert outcome.verdict.code == "valid", outcome.log
    told = {line.split()[0]: line.split()[1:] for line in outcome.log.splitlines()}
    assert failures == []
    assert int(told["timers"][0]) <= options.PENDING_SIGNALS
    assert told["timers"][1] == "EAGAIN"
    assert int(told["queues"][0]) <= options.QUEUE_BYTES // 81_920
    assert told["queues"][1] == "EMFILE"
    assert told["watches"] == ["0", "ENOSYS"]
