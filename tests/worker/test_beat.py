"""Beat's sign of life, which the health check of compose.yaml looks at."""

import os
import time
from pathlib import Path

from worker.app import make_app
from worker.beat import WatchedScheduler


def test_a_scheduler_that_works_touches_its_file_whatever_holds_the_schedule(tmp_path: Path) -> None:
    alive = tmp_path / "schedule.alive"
    scheduler = WatchedScheduler(app=make_app(), schedule_filename=str(tmp_path / "schedule"))
    assert alive.is_file(), "it says so from its start"
    os.utime(alive, (0, 0))
    scheduler.sync()
    assert time.time() - alive.stat().st_mtime < 60
    scheduler.close()
