"""Pilots without a cluster: what a job is, how many the queue deserves, and what versions of Slurm say of jobs."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from contract.queue import DemandOut
from worker.admin.main import collect
from worker.embedded.data import CHECKOUT
from worker.pilots.deciding import decide, deserved
from worker.pilots.keeping import node_of
from worker.pilots.settings import PilotSettings
from worker.pilots.slurm import ClusterJob, JobPhase, Slurm, SlurmError

NOW = 1_000_000.0


def settings(**changes: Any) -> PilotSettings:
    return PilotSettings.model_validate({"worker": "pilots", "cpus": 4, "memory": "16G"} | changes)


def demand(cases: int, seconds: float = 60.0, slots: int = 0) -> DemandOut:
    return DemandOut(evaluations=1, cases=cases, slot_seconds=cases * seconds, slots=slots)


def job(number: int, phase: JobPhase, began: float = NOW, node: str = "n1") -> ClusterJob:
    return ClusterJob(number, phase.upper(), phase, "", node, began, NOW)


@pytest.mark.parametrize(
    ("asked", "changes", "most", "jobs"),
    [
        (demand(0), {}, 10, 0),
        (demand(1), {}, 10, 1),
        (demand(600), {}, 100, 10),  # ten hours of a slot, within one hour
        (demand(600), {}, 4, 4),
        (demand(600), {"within": "2h"}, 100, 5),
        (demand(3, seconds=7200), {}, 100, 3),  # no more slots than cases
        (demand(600), {"gres": "gpu:4", "memory": "64G"}, 100, 3),  # four slots each
        (demand(600, slots=8), {}, 100, 2),
        (demand(600, slots=12), {}, 100, 0),
    ],
)
def test_the_queue_deserves_as_many_jobs_as_work_it_off_in_time(
    asked: DemandOut, changes: dict[str, Any], most: int, jobs: int
) -> None:
    assert deserved(asked, settings(**changes), most) == jobs


def decided(
    asked: DemandOut, *jobs: ClusterJob, most: int = 3, nodes: tuple[str, ...] = ("n1",)
) -> tuple[Any, ...]:
    found = decide(asked, jobs, nodes, settings(), most=most, now=NOW)
    return found.new, list(found.superfluous), list(found.idle)


def test_what_is_missing_is_submitted_and_never_more_than_the_bound() -> None:
    waits, runs, ends = JobPhase.WAITING, JobPhase.RUNNING, JobPhase.ENDING
    assert decided(demand(600)) == (3, [], [])
    assert decided(demand(600), job(1, waits), job(2, runs)) == (1, [], [])
    assert decided(demand(600), job(1, ends), job(2, runs)) == (1, [], []), "one that ends is still there"
    assert decided(demand(600), job(1, JobPhase.ENDED)) == (3, [], [])


def test_what_waits_in_vain_is_cancelled_the_youngest_first_and_what_runs_ends_by_itself() -> None:
    waits, runs = JobPhase.WAITING, JobPhase.RUNNING
    assert decided(demand(1), job(1, runs), job(2, waits), job(3, waits)) == (0, [2, 3], [])
    assert decided(demand(120), job(1, runs), job(2, waits), job(3, waits)) == (0, [3], [])
    assert decided(demand(0), job(1, runs), job(2, runs)) == (0, [], [])
    assert decided(demand(0), *(job(number, runs) for number in (1, 2)), job(3, waits)) == (0, [3], [])


def test_a_job_whose_node_has_no_slot_is_cancelled_once_it_had_time_and_another_takes_its_place() -> None:
    old, runs = NOW - 600 - 301, JobPhase.RUNNING
    assert decided(demand(60), job(1, runs, began=old, node="n2")) == (1, [], [1])
    assert decided(demand(60), job(1, runs, began=old)) == (0, [], [])
    assert decided(demand(60), job(1, runs, began=NOW - 600, node="n2")) == (0, [], [])


def test_jobs_that_fail_one_after_the_other_are_followed_by_none() -> None:
    failed = [job(number, JobPhase.FAILED) for number in (1, 2, 3)]
    found = decide(demand(600), failed, (), settings(), most=3, now=NOW)
    assert (found.new, found.note is not None and "1 FAILED, 2 FAILED, 3 FAILED" in found.note) == (0, True)
    assert decide(demand(600), failed[:2], (), settings(), most=3, now=NOW).new == 3


@pytest.mark.parametrize(
    ("told", "phase"),
    [
        ({"job_state": "PENDING", "start_time": 0}, JobPhase.WAITING),
        ({"job_state": "RUNNING", "start_time": 1000}, JobPhase.RUNNING),
        (
            {"job_state": ["RUNNING"], "start_time": {"set": True, "infinite": False, "number": 1000}},
            JobPhase.RUNNING,
        ),
        (
            {"job_state": ["RUNNING", "COMPLETING"], "start_time": {"set": False, "number": 0}},
            JobPhase.ENDING,
        ),
        ({"job_state": ["PENDING", "REQUEUE_HOLD"], "start_time": 0}, JobPhase.WAITING),
        ({"job_state": ["NODE_FAIL"], "start_time": 0}, JobPhase.FAILED),
        ({"job_state": "TIMEOUT", "start_time": 0}, JobPhase.ENDED),
        ({"job_state": "OF_A_LATER_VERSION", "start_time": 0}, JobPhase.RUNNING),
    ],
)
def test_versions_of_slurm_write_states_and_numbers_differently(
    told: dict[str, Any], phase: JobPhase
) -> None:
    found = ClusterJob.of({"job_id": 7, "batch_host": "n1", **told})
    assert (found.phase, found.began) == (phase, 1000.0 if phase is JobPhase.RUNNING and found.began else 0.0)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which commands are looked for first."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_only_own_jobs_of_the_name_are_looked_at(tools: Path) -> None:
    own = {"job_id": 1, "name": "proctor-pilot", "user_id": os.getuid(), "job_state": "RUNNING"}
    others = [own | {"name": "train"}, own | {"user_id": os.getuid() + 1}]
    (tools / "answer").write_text(json.dumps({"jobs": [*others, own | {"job_id": 2}, own]}))
    tool(tools, "squeue", f"cat {tools}/answer")
    assert [found.id for found in Slurm("proctor-pilot").jobs()] == [1, 2]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1",
            "squeue failed with 1: slurm_l",
        ),
        ("echo '{}'", "not understood"),
        ("echo nothing", "not understood"),
    ],
)
def test_where_slurm_cannot_be_asked_nothing_follows(tools: Path, script: str, told: str) -> None:
    tool(tools, "squeue", script)
    with pytest.raises(SlurmError, match=told):
        Slurm("proctor-pilot").jobs()


def test_where_there_is_no_slurm_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SlurmError, match="There is no sbatch here: run this where jobs are submitted"):
        Slurm("proctor-pilot").submit("")


def test_a_job_is_given_none_of_the_keepers_secrets(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCTOR_TOKEN", "prc_of-an-admin")
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm/slurm.conf")
    tool(tools, "sbatch", f"env > {tools}/env; cat > {tools}/script; echo '17;cluster'")
    assert Slurm("proctor-pilot").submit("#!/bin/sh\n") == 17
    given = (tools / "env").read_text()
    assert "prc_of-an-admin" not in given
    assert "DATABASE_URL" not in given
    assert "SLURM_CONF=/etc/slurm/slurm.conf" in given
    assert (tools / "script").read_text() == "#!/bin/sh\n"


def test_a_batch_script_says_all_of_it_and_is_shell() -> None:
    made = settings(
        account="fomo",
        partition="gpu",
        gres="gpu:a100:2",
        memory="64G",
        time="2d",
        options=["--constraint=hbm"],
        before=["module load docker"],
        environment={"PROCTOR_SERVER_URL": "https://x.example", "NOTE": "two words; $(none)"},
    )
    script = made.script()
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    for line in (
        "#SBATCH --account=fomo",
        "#SBATCH --gres=gpu:a100:2",
        "#SBATCH --mem=65536M",
        "#SBATCH --time=2880",
        "#SBATCH --constraint=hbm",
        "#SBATCH --signal=B:TERM@300",
        "#SBATCH --requeue",
        "module load docker",
        "export NOTE='two words; $(none)'",
        "exec python3 -m worker.run --until-idle 600s --grace 280s",
    ):
        assert line in script.splitlines()
    assert made.offer == {"cpus": 2, "memory": (32 * 1024 - 256) * 2**20, "gpus": 1, "gpu_memory": 2**42}


@pytest.mark.parametrize(
    ("gres", "gpus"), [("gpu", 1), ("gpu:3", 3), ("gpu:a100", 1), ("gpu:h200-141g:8", 8)]
)
def test_gres_says_how_many_gpus_a_job_has(gres: str, gpus: int) -> None:
    assert settings(gres=gres, cpus=8, memory="64G").gpus == gpus


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"environment": {"PROCTOR_WORKER_TOKEN": "prw_x"}}, "put the token into a file"),
        ({"environment": {"A B": "x"}}, "no name of a variable"),
        ({"environment": {"A": "x\ny"}}, "one line"),
        ({"options": ["rm"]}, "begin with a dash"),
        ({"partition": "gpu\n#SBATCH --uid=0"}, "one word"),
        ({"gres": "tape:1"}, "names no GPUs"),
        ({"time": "eight"}, "no span of time"),
        ({"memory": "16"}, "no size"),
        ({"slots": 5}, "5 slots need as many CPUs"),
        ({"wall": "8h"}, "Extra inputs"),
        ({"worker": ""}, "at least 1 character"),
    ],
)
def test_settings_that_are_wrong_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(**changes)


def test_options_of_the_command_replace_what_a_file_says(tmp_path: Path) -> None:
    file = tmp_path / "pilots.toml"
    file.write_text('worker = "pilots"\naccount = "one"\ntime = "4h"\n')
    read = PilotSettings.read(file, account="two", time=None)
    assert (read.account, read.time) == ("two", 4 * 3600)
    file.write_text("worker = ")
    with pytest.raises(tomllib.TOMLDecodeError):
        PilotSettings.read(file)


@pytest.mark.parametrize(
    ("slot", "node"),
    [("slurm-gpu-node-3-12", "gpu-node-3"), ("slurm-n1", None), ("run-1", None), ("slurm-n1-x", None)],
)
def test_a_slot_names_its_node(slot: str, node: str | None) -> None:
    assert node_of(slot) == node


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Give --slurm"),
        (("--slurm",), "worker: is missing"),
        (("--slurm", "--worker", "pilots", "--every", "often"), "--every: 'often' is no span of time"),
        (("--slurm", "--worker", "pilots", "--gres", "tape"), "gres names no GPUs"),
        (("--slurm", "--config", "/nowhere.toml"), "/nowhere.toml: No such file"),
    ],
)
def test_the_command_says_what_is_wrong_with_it(words: tuple[str, ...], told: str) -> None:
    done = CliRunner().invoke(collect(), ["pilots", *words])
    assert done.exit_code == 1
    assert told in " ".join(done.output.split())


@pytest.mark.parametrize("options", [("--once",), ("--dry-run",)])
def test_a_round_in_which_the_server_cannot_be_asked_does_nothing_and_fails(
    tools: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    for name in ("squeue", "sbatch", "scancel"):
        tool(tools, name, f"touch {tools}/called")
    monkeypatch.setenv("PROCTOR_TOKEN", "prc_x")
    fixed = ["pilots", "--slurm", "--worker", "pilots", "--server", "http://127.0.0.1:1"]
    done = CliRunner().invoke(collect(), [*fixed, *options])
    assert (done.exit_code, "http://127.0.0.1:1 does not answer" in done.output) == (1, True)
    assert not (tools / "called").exists()


def test_it_looks_again_and_again_until_it_is_told_to_end() -> None:
    fixed = ["--slurm", "--worker", "pilots", "--server", "http://127.0.0.1:1", "--every", "1s"]
    keeper = subprocess.Popen(
        [sys.executable, "-m", "worker.admin", "pilots", *fixed],
        env={"PATH": os.environ["PATH"], "PROCTOR_TOKEN": "prc_x"},
        cwd=CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert keeper.stderr is not None
        for _ in range(2):
            assert "does not answer" in keeper.stderr.readline()
        keeper.terminate()
        assert keeper.wait(30) == 0
    finally:
        keeper.kill()
        keeper.communicate()
