"""The season of the demo where nothing lies on one machine: a registry, a bucket and Slurm pilots.

Three teams' images are scored on all tasks there and, for comparison, uploaded to a server with files for blobs and run
workers beside it; no score differs by a bit.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from contract.statuses import CaseStatus
from demo.data import TASKS, make_datasets
from demo.images import build_team_image, ensure_base
from evaluator.spec import Challenge, load_challenge
from server.evaluations.models import CaseRun, Evaluation
from tests.blobs.servers import S3Server, swift
from tests.e2e.installation import Installation, installation
from tests.e2e.people import Person, register
from tests.server.cluster import Cluster, running
from tests.server.proxied import free_ports
from tests.server.registries import SECRET, key_in, registry, skopeo
from worker.embedded.data import CHECKOUT

TEAMS = ("Cortex", "Gyrus", "Sulcus")
CASES = 5 * 12 + 3 * 16
PILOT = "pilots"
MEMORY = 3600
"""MiB of a node: what a case of the demo may have, and the worker's own."""
Scores = dict[tuple[str, str], Any]
Deliver = Callable[[Person, Path], str]
"""Brings an archive to the server for a person's team; the image's digest."""


@pytest.fixture(scope="module")
def spec() -> Challenge:
    return load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml", CHECKOUT / "demo/overlay.yaml")


@pytest.fixture(scope="module")
def archives() -> dict[str, Path]:
    base = ensure_base()
    return {team: build_team_image(team.lower(), base) for team in TEAMS}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Below /tmp, where the database user and the jobs may go, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="proctor-far-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def uploaded(person: Person, archive: Path) -> str:
    seen = person.upload(archive)
    assert seen["status"] == "ready", seen
    return str(seen["image"])


def pushed_to(host: str) -> Deliver:
    def pushed(person: Person, archive: Path) -> str:
        name = f"{person.team}/{archive.stem.lower()}"
        done = skopeo(archive, f"{host}/{name}:v1", person.token)
        assert done.returncode == 0, done.stderr
        deadline = time.monotonic() + 300
        while True:
            rows = person.get(f"/teams/{person.team}/uploads")
            if rows and rows[0]["status"] == "ready":
                assert rows[0]["pushed"].startswith(f"{archive.stem.lower()}@sha256:"), rows
                return str(rows[0]["image"])
            assert time.monotonic() < deadline, rows
            time.sleep(0.5)

    return pushed


def scored(
    place: Installation, spec: Challenge, archives: dict[str, Path], deliver: Deliver = uploaded
) -> Scores:
    """The scores of every team and task, once all of it was imported, submitted, run and scored there."""
    place.apply(spec)
    for task, folder in make_datasets("validation", spacing_mm=2.0).items():
        place.import_task("fomo26", "validation", task, folder)
    people = {team: register(place.url, "fomo26", team) for team in archives}
    submitted = {}
    for team, person in people.items():
        submitted[team] = person.submitted(dict.fromkeys(TASKS, deliver(person, archives[team])))
    found: Scores = {}
    for team, person in people.items():
        for one in person.wait(submitted[team], seconds=1500)["evaluations"]:
            assert one["status"] == "scored", one
            found[team, one["task"]] = one["scores"], one["verdicts"]
        person.http.close()
    return found


@contextmanager
def pilots(place: Installation, cluster: Cluster, folder: Path) -> Iterator[None]:
    """Jobs on both nodes for as long as the block runs, as `proctor-admin pilots --slurm` keeps them."""
    (folder / "token").write_text(place.admin("worker-token", PILOT).split()[-1])
    admin = register(place.url, "fomo26", None, setup_token=place.setup_token)
    (folder / "pilots.toml").write_text(
        f"""
worker = "{PILOT}"
cpus = 1
memory = "{MEMORY}M"
time = "1h"
until_idle = "20s"
within = "1s"
python = "{sys.executable}"
log = "{folder}/%x-%j.log"
before = ["cd {CHECKOUT}", "export PROCTOR_WORKER_DIR={folder}/$SLURMD_NODENAME"]
[environment]
PROCTOR_SERVER_URL = "{place.url}"
PROCTOR_WORKER_TOKEN_FILE = "{folder}/token"
"""
    )
    known = {**cluster.environment, "PROCTOR_TOKEN": admin.token}
    command = [sys.executable, "-m", "worker.admin", "pilots", "--slurm", "--most", "2", "--every", "5s"]
    command += ["--config", str(folder / "pilots.toml"), "--server", place.url]
    with (folder / "pilots.log").open("wb") as log:
        keeper = subprocess.Popen(command, cwd=CHECKOUT, env=known, stdout=log, stderr=log)
        try:
            yield
        finally:
            keeper.terminate()
            keeper.wait(60)
            admin.http.close()


def bucket_of(store: S3Server) -> dict[str, str]:
    place = store.bucket()
    return {
        "BLOBS_URL": f"s3://{place.bucket}/{place.prefix}",
        "PROCTOR_BLOBS_ENDPOINT": store.endpoint,
        "PROCTOR_BLOBS_ACCESS_KEY": place.access_key,
        "PROCTOR_BLOBS_SECRET_KEY": place.secret_key,
        "PROCTOR_BLOBS_INPUTS": "true",
    }


def registry_of(folder: Path, port: int) -> dict[str, str]:
    return {
        "REGISTRY_URL": f"http://127.0.0.1:{port}",
        "PROCTOR_REGISTRY_KEY": str(key_in(folder)),
        "PROCTOR_REGISTRY_SECRET": SECRET,
    }


def only_pilots_ran(place: Installation) -> None:
    """Every case ran once, in a slot of a job."""
    with place.database() as session:
        ran = session.execute(
            select(CaseRun.status, CaseRun.claim_no, CaseRun.worker).join(
                Evaluation, Evaluation.id == CaseRun.evaluation_id
            )
        ).all()
    assert len(ran) == len(TEAMS) * CASES
    assert {one.status for one in ran} == {CaseStatus.DONE}
    assert {one.worker for one in ran} == {f"slurm-{node}-1" for node in ("n1", "n2")}


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_season_by_a_registry_a_bucket_and_a_cluster_has_the_scores_of_one_machine(
    folder: Path, spec: Challenge, archives: dict[str, Path]
) -> None:
    (folder / "here").mkdir(mode=0o711)
    with installation(folder / "here" / "data") as place:
        here = scored(place, spec, archives)

    (folder / "far").mkdir(mode=0o711)
    (folder / "slurm").mkdir(mode=0o755)
    (folder / "hub").mkdir()
    (port,) = free_ports(1)
    with (
        swift(folder / "swift") as store,
        installation(
            folder / "far" / "data",
            run_workers=0,
            **bucket_of(store),
            **registry_of(folder / "hub", port),
        ) as place,
        registry(folder / "hub", port, place.url),
        running(folder / "slurm", memory=MEMORY) as cluster,
        pilots(place, cluster, folder),
    ):
        far = scored(place, spec, archives, pushed_to(f"127.0.0.1:{port}"))
        only_pilots_ran(place)
        assert not list((place.data / "blobs").rglob("sha256*")), "blobs are in the bucket alone"

    assert len(here) == len(TEAMS) * len(TASKS)
    assert far == here
