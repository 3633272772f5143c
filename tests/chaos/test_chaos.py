"""Everything that can die dies while evaluations run, and every one ends with the scores of a quiet run."""

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from sqlalchemy import select

from contract.statuses import CaseStatus
from demo.images import ensure_base
from evaluator.spec import Challenge, load_challenge
from server.evaluations.models import CaseRun
from tests.chaos.disturbances import ALL, World, kills_postgres, kills_the_score_worker
from tests.chaos.machines import SecondEngine, kept_worker, second_engine, small_disk
from tests.e2e.datasets import write_task
from tests.e2e.images import small_image
from tests.e2e.installation import Installation, installation
from tests.e2e.people import ENDED, Json, Person, register
from tests.e2e.test_zz_leftovers import left
from worker.embedded.data import CHECKOUT

HONEST = CHECKOUT / "tests" / "e2e" / "honest.py"
OVERLAY = CHECKOUT / "tests" / "e2e" / "overlay.yaml"
TASKS = ("task1", "task2", "task4")
TRACK = "slowly"  # as honest.py understands it: every case takes long enough to be met by something
CASES = 8


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder below /tmp that the database user may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="proctor-chaos-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_no_disturbance_changes_a_score_or_loses_a_case(place: Path) -> None:
    disturbed(place, submissions=3, turns=1, seed=20261124)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_disturbance_changes_a_score_or_loses_a_case_over_200_cases(place: Path, seed: int) -> None:
    disturbed(place, submissions=9, turns=3, seed=seed)


def disturbed(place: Path, *, submissions: int, turns: int, seed: int) -> None:
    """One quiet submission, then `submissions` more while every disturbance happens at least once."""
    with ExitStack() as stack:
        running = stack.enter_context(installation(place / "data", run_workers=2))
        disk = stack.enter_context(small_disk(place / "disk"))
        engine = stack.enter_context(second_engine(place / "engine"))
        environment = remote_environment(running, disk, engine.address)
        remote = stack.enter_context(kept_worker("remote", environment, place / "remote.log"))
        world = World(running, engine, remote, disk, random.Random(seed))  # noqa: S311 - repeatable
        prepare(running, place)
        team = register(running.url, "fomo26", "Gyrus")
        stack.callback(team.http.close)
        image = team.upload(small_image(HONEST, ensure_base(), place / "image.tar", f"CHAOS={place.name}"))
        images = dict.fromkeys(TASKS, image["image"])
        quiet = team.wait(team.submitted(images, track=TRACK))

        sent = [team.submitted(images, track=TRACK) for _ in range(submissions)]
        cause_trouble(world, team, sent, turns)
        ended = patient(team, sent, seconds=60 + 40 * submissions)

        everything_counts_once(running, team, quiet, ended)
        reevaluated_in_trouble(world, turns)
        nothing_is_left(running, engine, disk)


def remote_environment(running: Installation, disk: Path, engine: str) -> dict[str, str]:
    """What a run worker of this machine is told, with the engine and the disk of the other one."""
    own = Path(f"/proc/{running.worker('run-1')}/environ").read_text().split("\0")
    environment = dict(variable.split("=", 1) for variable in own if variable)
    return environment | {"DOCKER_HOST": engine, "PROCTOR_WORKER_DIR": str(disk / "worker")}


def prepare(running: Installation, place: Path) -> None:
    """FOMO26 with many attempts and a few hidden cases."""
    spec: Challenge = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml", OVERLAY)
    phase = spec.phases["validation"]
    attempts = phase.attempts.model_copy(update={"valid": 100})
    phases = dict(spec.phases) | {"validation": phase.model_copy(update={"attempts": attempts})}
    spec = spec.model_copy(update={"phases": phases, "tracks": (TRACK,)})
    running.apply(spec)
    for task in TASKS:
        folder = write_task(spec, task, place / "released", cases=CASES)
        running.import_task("fomo26", "validation", task, folder)


def cause_trouble(world: World, team: Person, sent: list[Json], turns: int) -> None:
    """Every disturbance once in a drawn order; then more of them, `turns` times in all, until everything has ended."""
    for turn in range(turns):
        for disturbance in world.chance.sample(ALL, len(ALL)):
            if turn and all(seen is not None and has_ended(seen) for seen in look(team, sent)):
                return
            with suppress(LookupError, ProcessLookupError, redis.RedisError):  # it is down already
                disturbance(world)
            time.sleep(world.chance.uniform(0.5, 2.5))


def look(team: Person, sent: list[Json]) -> list[Json | None]:
    """The submissions as the server shows them; None where it does not answer just now."""
    return [one(team, submission["id"]) for submission in sent]


def one(team: Person, submission: str) -> Json | None:
    try:
        answer = team.http.get(f"/submissions/{submission}")
    except httpx.TransportError:
        return None
    return dict(answer.json()) if answer.status_code == httpx.codes.OK else None


def has_ended(submission: Json) -> bool:
    return all(evaluation["status"] in ENDED for evaluation in submission["evaluations"])


def patient(team: Person, sent: list[Json], *, seconds: float) -> list[Json]:
    """The submissions once all have ended."""
    deadline = time.monotonic() + seconds
    while True:
        seen = [submission for submission in look(team, sent) if submission and has_ended(submission)]
        if len(seen) == len(sent):
            return seen
        assert time.monotonic() < deadline, look(team, sent)
        time.sleep(0.5)


def everything_counts_once(running: Installation, team: Person, quiet: Json, ended: list[Json]) -> None:
    """Scores of the quiet run, every case done once, one attempt for each submission."""
    expected = {evaluation["task"]: evaluation["scores"] for evaluation in quiet["evaluations"]}
    evaluations = [evaluation for submission in ended for evaluation in submission["evaluations"]]
    for evaluation in evaluations:
        assert (evaluation["status"], evaluation["verdicts"]) == ("scored", {"valid": CASES}), evaluation
        assert evaluation["scores"] == expected[evaluation["task"]]
    with running.database() as session:
        done = session.scalars(select(CaseRun).where(CaseRun.status == CaseStatus.DONE.value)).all()
        counted = Counter((run.evaluation_id, run.case_id) for run in done)
        assert any(run.claim_no > 1 for run in done), "nothing was disturbed"
    assert len(counted) == (len(evaluations) + len(TASKS)) * CASES
    assert set(counted.values()) == {1}
    for task in TASKS:
        quota = team.quota(task, track=TRACK)
        assert (quota["spent"], quota["reserved"]) == (len(ended) + 1, 0)


def reevaluated_in_trouble(world: World, turns: int) -> None:
    """Whatever scores and keeps a re-evaluation dies while it runs: boards are the old ones, and it becomes ready."""
    somebody = register(world.running.url, "fomo26", None, setup_token=world.running.setup_token)
    with closing(somebody.http) as admin:
        before = shown(admin)
        drafted = tried(admin, "POST", "", json={"mode": "rescore", "why": "A metric was mended."})
        path = f"/{drafted['id']}"
        tried(admin, "POST", f"{path}/start")
        while "scored" not in tried(admin, "GET", path)["statuses"]:
            time.sleep(0.05)
        for _ in range(turns):
            for disturbance in (kills_the_score_worker, kills_postgres):
                with suppress(LookupError, ProcessLookupError):  # it is down already
                    disturbance(world)
                time.sleep(world.chance.uniform(0, 0.5))
        deadline = time.monotonic() + 120 + 60 * turns
        while (seen := tried(admin, "GET", path))["state"] != "ready":
            assert seen["state"] == "running"
            assert shown(admin) == before
            assert time.monotonic() < deadline, seen
            time.sleep(0.2)
        preview = tried(admin, "GET", f"{path}/preview")
        made = drafted["plan"]["evaluations"]
        assert preview["statuses"] == [{"old": "scored", "new": "scored", "count": made}]
        assert preview["boards"]["sentences"] == [], "what is scored again of the same outputs is the same"
        assert shown(admin) == before
        assert tried(admin, "POST", f"{path}/apply", json={"digest": preview["digest"]})["changed"] == made
        assert shown(admin) == before


def tried(admin: httpx.Client, method: str, path: str, **body: Any) -> Json:
    """The answer about a re-evaluation, once there is one."""
    deadline = time.monotonic() + 90
    while True:
        with suppress(httpx.TransportError):
            answer = admin.request(method, f"/organize/fomo26/reevaluations{path}", **body)
            if answer.status_code < 500:
                assert answer.is_success, answer.text
                return dict(answer.json())
        assert time.monotonic() < deadline, f"{method} {path} is not answered"
        time.sleep(0.2)


def shown(http: httpx.Client) -> list[Json]:
    """The boards as everybody sees them, once they are answered and it is known how sure their places are."""
    deadline = time.monotonic() + 90
    while True:
        with suppress(httpx.TransportError):
            answer = http.get("/challenges/fomo26/leaderboards/validation")
            tracks = list(answer.json()["tracks"]) if answer.status_code == 200 else []
            if tracks and not any(track["certainty_pending"] for track in tracks):
                return tracks
        assert time.monotonic() < deadline, "the board is not answered"
        time.sleep(0.2)


def nothing_is_left(running: Installation, engine: SecondEngine, disk: Path) -> None:
    """No container, volume, disk or file of a case, on either machine."""
    own = f"proctor-{(running.data / 'worker' / 'installation').read_text()}-"
    other = f"proctor-{(disk / 'worker' / 'installation').read_text()}-"
    deadline = time.monotonic() + 90  # the workers look for orphans once a minute
    while (found := left(own) + left(other) + remains(engine, disk)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found == []


def remains(engine: SecondEngine, disk: Path) -> list[str]:
    """Containers and volumes of the other engine, and files of cases on the other disk."""
    names = engine.docker("ps", "--all", "--format", "{{.Names}}").stdout.split()
    names += engine.docker("volume", "ls", "--quiet").stdout.split()
    return names + [str(path) for path in (disk / "worker" / "scratch").rglob("*") if path.is_file()]
