"""Pilots on a real Slurm: jobs begin, are put back, preempted, lost with their node and cancelled; no case is lost.

Their workers are real but for their containers, which wait (`tests.worker.stand_in`).
"""

import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, update

from contract.statuses import CaseStatus
from server.accounts.tokens import create_worker_token
from server.database import unit_of_work
from server.evaluations import faults
from server.evaluations.models import CaseRun, Evaluation
from tests.server.cluster import NODES, Cluster, jobs, running, until
from tests.server.conftest import Admin, Person
from tests.server.lab import Entrant, Lab
from worker.embedded.data import CHECKOUT

Keep = Callable[..., str]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="proctor-slurm-"))
    folder.chmod(0o755)
    with running(folder) as cluster:
        yield cluster


@pytest.fixture
def cluster(slurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster without a job, which the commands of this process find."""
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm.environment[name])
    yield slurm
    slurm.clear()


@pytest.fixture
def seconds(tmp_path: Path) -> Path:
    """How long every case takes."""
    file = tmp_path / "seconds"
    file.write_text("0.1")
    return file


@pytest.fixture
def keep(
    cluster: Cluster,
    served: tuple[str, object],
    lab: Lab,
    admin: Person,
    command: Admin,
    seconds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Keep:
    """One round of `proctor-admin pilots --slurm`, as somebody with an admin's token; what it says."""
    name = f"pilots-{uuid4().hex[:8]}"
    with unit_of_work(lab.sessions) as session:
        (tmp_path / "token").write_text(create_worker_token(session, name))
    program = tmp_path / "python"
    stand_in = shlex.join([sys.executable, "-m", "tests.worker.stand_in"])
    program.write_text(f'#!/bin/sh\nshift 2\ncd {CHECKOUT}\nexec {stand_in} "$@"\n')
    program.chmod(0o755)
    settings = tmp_path / "pilots.toml"
    settings.write_text(
        f"""
worker = "{name}"
cpus = 1
memory = "900M"
time = "1h"
until_idle = "1s"
warn = 22
within = "1s"
python = "{program}"
log = "{tmp_path}/%x-%j.log"
before = ["export PROCTOR_WORKER_DIR={tmp_path}/$SLURMD_NODENAME"]
[environment]
PROCTOR_SERVER_URL = "{served[0]}"
PROCTOR_WORKER_TOKEN_FILE = "{tmp_path}/token"
STAND_IN_SECONDS = "{seconds}"
DOCKER_HOST = "unix://{tmp_path}/no-engine"
"""
    )
    monkeypatch.setenv("PROCTOR_TOKEN", admin.token)

    def keep(*options: str, most: int = 1) -> str:
        fixed = ("--slurm", "--once", "--config", str(settings), "--most", str(most), "--server", served[0])
        result = command("pilots", *fixed, *options)
        assert result.exit_code == 0, result.output
        return result.output

    return keep


def submit(lab: Lab, team: Entrant) -> str:
    """An evaluation whose cases a node of this cluster is large enough for."""
    evaluation = team.submit()
    small = {"needs_cpus": 0.5, "needs_memory": 2**28, "needs_gpus": 0, "needs_gpu_memory": 0}
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Evaluation).where(Evaluation.id == UUID(evaluation)).values(small))
    return evaluation


def statuses(lab: Lab, evaluation: str) -> list[CaseStatus]:
    return [run.status for run in lab.runs(evaluation)]


def all_valid(lab: Lab, evaluation: str) -> None:
    """Waits until every case has its verdict."""
    until(lambda: {run.verdict for run in lab.runs(evaluation)} == {"valid"})


def returned(lab: Lab) -> int:
    """How many cases go back because their leases are over, as a score worker sees to it."""
    with unit_of_work(lab.sessions) as session:
        return faults.expire_leases(session, settings=lab.settings)


def only(states: str = "") -> int:
    """The number of the one job that there is."""
    (job,) = [job for job in jobs() if states in job.state and job.phase not in ("ended", "failed")]
    return job.id


def begun(lab: Lab, team: Entrant, keep: Keep, seconds: Path, *options: str) -> tuple[str, int]:
    """An evaluation of which a job holds a case that takes longer than any test, and the job's number."""
    seconds.write_text("600")
    evaluation = submit(lab, team)
    keep(*options)
    until(lambda: CaseStatus.RUNNING in statuses(lab, evaluation))
    return evaluation, only("RUNNING")


def test_as_many_jobs_as_the_queue_deserves_work_it_off_and_end_by_themselves(
    cluster: Cluster, keep: Keep, lab: Lab, team: Entrant
) -> None:
    assert "Jobs deserved: 0; running: 0" in keep()
    evaluation = submit(lab, team)
    planned = keep("--dry-run")
    assert "#SBATCH --signal=B:TERM@22" in planned
    assert "1 would be submitted" in planned
    assert not [job for job in jobs() if job.phase == "waiting"], "a dry run does nothing"
    assert "1 submitted" in keep()
    job = max(jobs(), key=lambda job: job.id).id
    assert "submitted" not in keep(), "one is enough"
    all_valid(lab, evaluation)
    cluster.reach(job, "COMPLETED")
    assert {run.worker for run in lab.runs(evaluation)} <= {f"slurm-{node}-1" for node in NODES}
    assert {run.faults for run in lab.runs(evaluation)} == {0}
    assert "Jobs deserved: 0; running: 0, waiting: 0." in keep()


def test_a_job_that_is_put_back_hands_its_case_back_and_goes_on_when_it_returns(
    cluster: Cluster, keep: Keep, lab: Lab, team: Entrant, seconds: Path
) -> None:
    evaluation, job = begun(lab, team, keep, seconds, "--option=--comment=requeued")
    cluster.control("requeue", str(job))
    until(lambda: CaseStatus.RUNNING not in statuses(lab, evaluation))
    assert {run.faults for run in lab.runs(evaluation)} == {0}, "it was handed back, and not lost"
    seconds.write_text("0.1")
    cluster.begin(job)
    all_valid(lab, evaluation)
    cluster.reach(job, "COMPLETED")


@pytest.mark.long
def test_a_job_that_is_preempted_hands_its_case_back(
    cluster: Cluster, keep: Keep, lab: Lab, team: Entrant, seconds: Path
) -> None:
    evaluation, job = begun(lab, team, keep, seconds, "--partition", "low")
    script = "#!/bin/sh\nsleep 600\n"
    first, second = (
        cluster.run("sbatch", "--parsable", "--partition=high", "--output=/dev/null", given=script)
        for _ in NODES
    )
    cluster.reach(job, "PENDING")
    until(lambda: CaseStatus.RUNNING not in statuses(lab, evaluation))
    assert {run.faults for run in lab.runs(evaluation)} == {0}
    seconds.write_text("0.1")
    cluster.run("scancel", first, second)
    cluster.begin(job)
    all_valid(lab, evaluation)


@pytest.mark.long
def test_what_a_lost_node_had_comes_back_and_runs_on_another(
    cluster: Cluster, keep: Keep, lab: Lab, team: Entrant, seconds: Path
) -> None:
    evaluation, job = begun(lab, team, keep, seconds)
    (node,) = {found.node for found in jobs() if found.id == job}
    cluster.lose(node)
    seconds.write_text("0.1")
    cluster.begin(job)
    until(lambda: {found.node for found in jobs() if found.id == job} == set(NODES) - {node})
    cluster.reach(job, "COMPLETED")  # the others; the lost one has a lease until it runs out
    with unit_of_work(lab.sessions) as session:
        session.execute(
            update(CaseRun).where(CaseRun.lease_until.is_not(None)).values(lease_until=func.now())
        )
    until(lambda: returned(lab) + lab.unpark() > 0)
    assert "1 submitted" in keep()
    all_valid(lab, evaluation)
    assert {run.worker for run in lab.runs(evaluation)} == {
        f"slurm-{other}-1" for other in set(NODES) - {node}
    }


@pytest.mark.long
def test_a_job_that_is_cancelled_hands_its_case_back_and_another_takes_its_place(
    cluster: Cluster, keep: Keep, lab: Lab, team: Entrant, seconds: Path
) -> None:
    evaluation, job = begun(lab, team, keep, seconds)
    cluster.run("scancel", str(job))
    cluster.reach(job, "CANCELLED")
    assert {run.faults for run in lab.runs(evaluation)} == {0}
    assert CaseStatus.RUNNING not in statuses(lab, evaluation)
    seconds.write_text("0.1")
    assert "1 submitted" in keep()
    all_valid(lab, evaluation)


@pytest.mark.long
def test_jobs_that_the_queue_no_longer_deserves_are_cancelled_before_they_begin(
    cluster: Cluster, keep: Keep, lab: Lab, team: Entrant
) -> None:
    taken = "#!/bin/sh\nsleep 600\n"
    others = [
        cluster.run("sbatch", "--parsable", "--partition=high", "--output=/dev/null", given=taken)
        for _ in NODES
    ]
    for other in others:
        cluster.reach(int(other), "RUNNING")
    submit(lab, team)
    assert "3 submitted" in keep(most=3)
    waiting = [job.id for job in jobs() if job.phase == "waiting"]
    assert len(waiting) == 3
    assert f"{waiting[2]} cancelled: superfluous" in keep(most=2), "the youngest"
    lab.worker().drain()
    assert f"{waiting[0]}, {waiting[1]} cancelled" in keep(most=2)
    for job in waiting:
        cluster.reach(job, "CANCELLED")


@pytest.mark.long
def test_a_job_whose_time_is_over_lets_its_case_end_and_takes_no_new_one(
    cluster: Cluster, keep: Keep, lab: Lab, team: Entrant, seconds: Path
) -> None:
    lab.dataset(cases=60)
    seconds.write_text("3")
    evaluation = submit(lab, team)
    keep("--time", "120s")
    job = only()
    cluster.reach(job, "COMPLETED", seconds=150)  # Slurm signals some 50 to 20 s before the time is over
    runs = lab.runs(evaluation)
    assert {run.faults for run in runs} == {0}
    assert CaseStatus.RUNNING not in statuses(lab, evaluation)
    assert 0 < sum(run.verdict == "valid" for run in runs) < 60
