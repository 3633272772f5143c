"""A whole installation of a benchmark's own, as `proctor-admin up` runs it, with one team and many small scans."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from client.api import Client
from client.uploads import read_archive, upload_archive, wait_for_image
from demo.brains.layout import encode_nifti
from evaluator.spec import Challenge
from server.challenges.service import apply, get_challenge
from server.database import connect, session_factory, unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.settings import Settings
from server.versions.service import import_fomo
from worker.embedded.data import CHECKOUT, secret
from worker.embedded.postgres import Postgres
from worker.embedded.process import spawn

PHASE = "sanity"  # its attempts are not counted
_READY_SECONDS = 120
_ENDED_SECONDS = 600


@dataclass(frozen=True)
class RunningPlatform:
    """A running installation in `data`."""

    data: Path
    url: str

    @contextmanager
    def database(self) -> Iterator[Session]:
        """A unit of work on its database, for what no endpoint does or shows."""
        engine = connect(Postgres(self.data).url(), pool_size=1)
        try:
            with unit_of_work(session_factory(engine)) as session:
                yield session
        finally:
            engine.dispose()

    def prepare(self, spec: Challenge, task: str, folder: Path) -> None:
        """The challenge, with the cases in `folder` for one task."""
        settings = Settings.model_validate(
            {
                "data": self.data,
                "secret_key": secret(self.data, "secret_key"),
                "DATABASE_URL": Postgres(self.data).url(),
            }
        )
        with self.database() as session:
            apply(session, spec, actor="benchmark")
            challenge = get_challenge(session, spec.challenge)
            names: dict[str, Any] = {"phase": PHASE, "task": task, "source": folder}
            import_fomo(session, challenge, settings=settings, actor="benchmark", **names)

    def amend(self, spec: Challenge) -> None:
        """The challenge as it is from now on."""
        with self.database() as session:
            apply(session, spec, actor="benchmark")


@dataclass(frozen=True)
class SubmittingTeam:
    """Who submits: a signed-in member, the team's id and the image's digest."""

    client: Client
    challenge: str
    team: str
    image: str

    def submit(self, task: str, track: str) -> str:
        """Submits the image on `track`; the evaluation's id."""
        images = {task: self.image}
        sent = self.client.submit(self.challenge, team=self.team, track=track, phase=PHASE, images=images)
        return str(sent.evaluations[0].id)

    def run(self, platform: RunningPlatform, task: str, track: str) -> str:
        """Submits the image on `track` and waits until it is scored; the evaluation's id."""
        wanted = self.submit(task, track)
        deadline = time.monotonic() + _ENDED_SECONDS
        while (status := _status(platform, wanted)) not in ("scored", "rejected", "errored", "cancelled"):
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)  # seldom: the database is part of what is measured
        if status != "scored":
            raise RuntimeError(f"the evaluation is {status}\n{_logs(platform)}")
        return wanted


def spent(platform: RunningPlatform, evaluation: str) -> tuple[float, float]:
    """Seconds from the first lease of an evaluation to its last finish, and the sum of its containers' own."""
    with platform.database() as session:
        begun, ended, own, valid, all_of_them = session.execute(
            select(
                func.min(CaseRun.started_at),
                func.max(CaseRun.finished_at),
                func.sum(CaseRun.seconds),
                func.count().filter(CaseRun.verdict == "valid"),
                func.count(),
            ).where(CaseRun.evaluation_id == uuid.UUID(evaluation))
        ).one()
    if valid != all_of_them or begun is None or ended is None or own is None:
        raise RuntimeError(f"only {valid} of {all_of_them} cases are valid\n{_logs(platform)}")
    return (ended - begun).total_seconds(), float(own)


def join(platform: RunningPlatform, challenge: str, archive: Path) -> SubmittingTeam:
    """A new team with one checked image."""
    email, password = f"{uuid.uuid4().hex}@example.org", secrets.token_urlsafe(12)
    visitor = Client(platform.url)
    visitor.register(email, "Bench", password)
    client = Client(platform.url, token=visitor.log_in(email, password))
    team = client.create_team(challenge, f"Bench {uuid.uuid4().hex[:6]}")
    return send(SubmittingTeam(client, challenge, team.id, ""), archive)


def send(team: SubmittingTeam, archive: Path) -> SubmittingTeam:
    """The team with this image, once it is checked."""
    upload = upload_archive(team.client, team.challenge, team.team, read_archive(archive))
    return replace(team, image=wait_for_image(team.client, upload))


@contextmanager
def platform(run_workers: int) -> Iterator[RunningPlatform]:
    """Starts everything with that many slots; stopped and removed afterwards."""
    top = Path(tempfile.mkdtemp(prefix="proctor-bench-"))
    top.chmod(0o711)
    data, log = top / "data", top / "up.log"
    command = [sys.executable, "-m", "worker.admin", "up", "--data", str(data), "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    child = spawn([*command, "--run-workers", str(run_workers)], log=log, env=environment, cwd=CHECKOUT)
    try:
        yield RunningPlatform(data, _address(child, data / "address", log))
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(120)
        shutil.rmtree(top, ignore_errors=True)


BLANK_MAP = b"""\
import gzip, struct, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with gzip.open(arguments["--t2"]) as file:
    header, voxels = bytearray(file.read(352)), file.read()
struct.pack_into("<hh", header, 70, 2, 8)
with open(arguments["--output"], "wb") as file:
    file.write(gzip.compress(bytes(header) + bytes(len(voxels) // 2), 1))
"""
"""A program that answers a scan of task 4 with a map of the same shape and nothing in it, by Python alone."""


def write_scans(folder: Path, cases: int, side: int = 64) -> Path:
    """A released folder of task 4 with `cases` random scans of `side` voxels a side."""
    for number in range(cases):
        for kind, name in (("preprocessed", "t2w"), ("labels", "seg")):
            where = folder / kind / f"sub-{number:03}" / "ses-01"
            where.mkdir(parents=True)
            voxels = np.random.default_rng(number).integers(1, 900, (side,) * 3).astype(np.int16)
            (where / f"{name}.nii.gz").write_bytes(
                encode_nifti(voxels if kind == "preprocessed" else voxels // 300, np.eye(4))
            )
    rows = [f"sub-{number:03}\tF\t40\tsite{number % 2}\tscanner" for number in range(cases)]
    (folder / "participants.tsv").write_text(
        "\n".join(["participant_id\tsex\tage\tsite\tscanner", *rows]) + "\n"
    )
    return folder


def _status(platform: RunningPlatform, evaluation: str) -> str:
    with platform.database() as session:
        return session.get_one(Evaluation, uuid.UUID(evaluation)).status


def _address(child: subprocess.Popen[bytes], file: Path, log: Path) -> str:
    deadline = time.monotonic() + _READY_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        if file.is_file() and (url := file.read_text().strip()):
            return url
        time.sleep(0.1)
    raise RuntimeError(f"the platform did not come up:\n{log.read_text()[-3000:]}")


def _logs(platform: RunningPlatform) -> str:
    return "\n".join(path.read_text(errors="replace")[-1500:] for path in (platform.data / "logs").iterdir())
