"""Checks of uploads that take long, hang, or come eight at a time: neither the clock, scores nor other teams wait.

A check that hangs is a real one in a real score worker, whose process was stopped; the worker is killed with it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from contract.statuses import UploadStatus
from contract.wakeups import SCORE_QUEUE, TICK
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.settings import Settings
from server.uploads import checks
from server.uploads.models import Upload
from server.uploads.service import UNFINISHED_PER_TEAM
from server.wakeups import WakeUp, sender, wake_checkers, wake_score_workers
from tests.sandbox.archives import LAYER, legacy, pack, tar
from tests.server.conftest import Person, Tus
from tests.server.lab import Entrant, Lab
from tests.server.test_scoring_faults import in_scoring
from tests.server.test_scoring_worker import LABELS, write_references
from worker.score.check import CheckLost, allowance, check, clock
from worker.score.images import check_waiting

ARCHIVE = pack(legacy(LAYER))
SECONDS = 60.0


@pytest.fixture(autouse=True)
def _an_empty_queue(sessions: SessionFactory) -> None:
    """Nothing that another test left waits for a check."""
    with unit_of_work(sessions) as session:
        session.execute(
            update(Upload).where(Upload.status == UploadStatus.CHECKING).values(status=UploadStatus.REJECTED)
        )


@pytest.fixture
def claim(sessions: SessionFactory, settings: Settings) -> Callable[..., Upload | None]:
    """Claims as a checker does: in a unit of work of its own."""

    def take(most_per_team: int = 1) -> Upload | None:
        with unit_of_work(sessions) as session:
            return checks.claim_upload_to_check(
                session, uploads=settings.uploads, most_per_team=most_per_team
            )

    return take


@pytest.fixture
def settle(sessions: SessionFactory, settings: Settings) -> Callable[..., None]:
    """Ends a check as if it had taken so many seconds."""

    def end(upload: Upload, *, seconds: float) -> None:
        with unit_of_work(sessions) as session:
            began = func.clock_timestamp() - timedelta(seconds=seconds)
            session.execute(update(Upload).where(Upload.id == upload.id).values(check_began_at=began))
        with unit_of_work(sessions) as session:
            checks.settle_invalid(session, upload, "not_a_tar", "It is none.", uploads=settings.uploads)

    return end


def test_a_teams_eight_archives_delay_anothers_by_one_check_at_most(
    tus: Tus, slug: str, stranger: Person, claim: Any, settle: Any
) -> None:
    many = [tus.upload(slug, b"%d" % number)["id"] for number in range(UNFINISHED_PER_TEAM)]
    first = claim()
    assert str(first.id) == many[0]
    assert claim() is None, "the other place is for other teams"
    tiny = Tus(stranger.http).upload(slug, b"tiny")["id"]
    assert str(claim().id) == tiny
    settle(first, seconds=10)
    assert str(claim().id) == many[1]


def test_the_team_that_had_least_of_the_checks_lately_is_next(
    tus: Tus, slug: str, stranger: Person, claim: Any, settle: Any
) -> None:
    """Of two teams with nothing under way, however long the other's archives wait."""
    for number in range(4):
        tus.upload(slug, b"%d" % number)
    settle(claim(), seconds=30)
    theirs = [Tus(stranger.http).upload(slug, b"their %d" % number)["id"] for number in range(3)]
    taken = []
    for seconds in (20, 20, 20):
        taken.append(upload := claim())
        settle(upload, seconds=seconds)
    assert [str(one.id) in theirs for one in taken] == [True, True, False]


def test_a_team_may_have_as_many_checks_as_the_lane_has_but_one(tus: Tus, slug: str, claim: Any) -> None:
    for number in range(4):
        tus.upload(slug, b"%d" % number)
    assert [claim(3) is not None for _ in range(4)] == [True, True, True, False]


def test_uploads_that_wait_for_their_check_count_with_unfinished_ones(tus: Tus, slug: str) -> None:
    for number in range(UNFINISHED_PER_TEAM - 1):
        tus.upload(slug, b"%d" % number)
    tus.begin(slug, b"unfinished")
    answer = tus.create(slug, b"one more")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_uploads")
    assert "1 unfinished uploads and 7 whose check has not ended" in answer.json()["detail"]


def test_a_check_that_was_lost_is_tried_again_later_and_others_meanwhile(
    tus: Tus, slug: str, sessions: SessionFactory, settings: Settings
) -> None:
    """The bytes of the first have gone from the disk, which no archive can help."""
    lost, fine = (tus.upload(slug, ARCHIVE + bytes(n))["id"] for n in (0, 10240))
    (settings.uploads / lost).unlink()
    assert check_waiting(sessions, settings) == 2
    assert [tus.http.get(f"/uploads/{one}").json()["status"] for one in (lost, fine)] == ["checking", "ready"]
    assert check_waiting(sessions, settings) == 0, "a minute later"
    with unit_of_work(sessions) as session:
        session.execute(update(Upload).values(check_not_before=func.now() - timedelta(seconds=1)))
    (settings.uploads / lost).write_bytes(ARCHIVE)
    assert check_waiting(sessions, settings) == 1
    assert tus.http.get(f"/uploads/{lost}").json()["status"] == "ready"


def test_a_check_that_stands_still_is_ended_by_the_clock_with_all_it_started(
    tmp_path: Path, settings: Settings
) -> None:
    path = tmp_path / "image.tar"
    os.mkfifo(path)
    with pytest.raises(CheckLost, match="by the clock"):
        check(path, limit=2**20, blobs=settings.blobs, calls=(), seconds=60, longest=1.0)
    assert children_that_check() == []


def test_a_tiny_archive_may_take_a_minute_or_so_of_a_processor_and_minutes_by_the_clock() -> None:
    tiny = allowance(80 * 2**10, 40 * 2**30)
    assert tiny < 80
    assert clock(tiny) < 400


def children_that_check(of: int | None = None) -> list[int]:
    """Processes that check an archive, of one score worker or of this process."""
    found = []
    for one in Path("/proc").iterdir():
        try:
            words = (one / "cmdline").read_bytes().split(b"\0")
            parent = int((one / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if b"worker.score.check_child" in words and parent == (of or os.getpid()):
            found.append(int(one.name))
    return found


def until(holds: Callable[[], Any], what: str) -> Any:
    """What `holds` tells once it is true."""
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited {SECONDS:g} s until {what}"
        time.sleep(0.01)
    return found


@pytest.fixture
def score_worker(settings: Settings, redis_url: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A score worker whose one place for checks, and whose one for scores, can be filled."""
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": redis_url,
        "PROCTOR_DATA": str(settings.data),
        "PROCTOR_SECRET_KEY": settings.secret_key.get_secret_value(),
        "PROCTOR_CHECKS_AT_ONCE": "1",
        "PROCTOR_SCORES_AT_ONCE": "1",
    }
    log = tmp_path / "score.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "worker.score", "--name", f"score-{os.getpid()}"]
        worker = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        until(lambda: worker.poll() is not None or b"score_worker_ready" in log.read_bytes(), "it is ready")
        assert worker.poll() is None, log.read_text()[-2000:]
        yield worker
    finally:
        worker.kill()
        worker.wait()


def test_scores_and_the_clock_go_on_while_every_check_hangs_and_a_killed_workers_check_ends_with_it(
    score_worker: subprocess.Popen[bytes],
    lab: Lab,
    team: Entrant,
    entrant: Callable[[str], Entrant],
    tus: Tus,
    redis_url: str,
) -> None:
    upload = tus.upload(lab.slug, pack(legacy(tar(("weights", bytes(100 * 2**20))))))["id"]
    wake_checkers(redis_url)
    (child,) = until(lambda: children_that_check(score_worker.pid), "the check begins")
    until(lambda: reads(child, upload), "it reads the archive")
    os.kill(child, signal.SIGSTOP)
    for _ in range(20):
        wake_checkers(redis_url)
    evaluation = in_scoring(lab, team)
    write_references(lab, evaluation, LABELS)
    entrant("Another").submit()
    lost = lab.worker().take()
    with unit_of_work(lab.sessions) as session:
        past = func.clock_timestamp() - timedelta(seconds=1)
        case = UUID(lost["case_run"])
        session.execute(update(CaseRun).where(CaseRun.id == case).values(lease_until=past))
    wake_score_workers(redis_url)
    sender.send(WakeUp(redis_url, TICK, SCORE_QUEUE))
    until(
        lambda: status(lab, select(CaseRun.status).where(CaseRun.id == case)) == "parked", "a lease expires"
    )
    scored = select(Evaluation.status).where(Evaluation.id == UUID(evaluation))
    until(lambda: status(lab, scored) == "scored", "an evaluation is scored")
    assert tus.http.get(f"/uploads/{upload}").json()["status"] == "checking"
    score_worker.kill()
    score_worker.wait()
    until(lambda: not Path(f"/proc/{child}/fd").exists() or not reads(child, upload), "the check ends")


def reads(process: int, name: str) -> bool:
    """Whether the process has the file open; a dead one that nobody asks after has none."""
    for one in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            if str(one.readlink()).endswith(name):
                return True
    return False


def status(lab: Lab, query: Any) -> str | None:
    with lab.sessions() as session:
        return session.scalar(query)
