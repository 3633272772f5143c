"""Cases through the whole queue, from first lease to last finish, against a shell loop of `docker run`.

The bare containers have the platform's own options (limits, capabilities, system calls, init) and plain bind
mounts; nobody leases, checks, collects or stores anything around them.
"""

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.platform import (
    BLANK_MAP,
    RunningPlatform,
    SubmittingTeam,
    join,
    platform,
    spent,
    write_scans,
)
from demo.images import build_image, ensure_base
from evaluator.spec import Challenge, load_challenge
from sandbox import options
from sandbox.jobs import CaseJob, Slot
from worker.admin.slots import deal
from worker.embedded.data import CHECKOUT

CASES, ROUNDS, LEAST = 30, 2, 0.87
_TASK, _TRACK = "task4", "method"
_NULL = subprocess.DEVNULL


def run() -> list[Comparison]:
    """One slot against one loop, and two slots against two loops side by side."""
    spec = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml", CHECKOUT / "demo/overlay.yaml")
    limits = spec.limits.model_copy(update={"pack": 1})  # a loop runs one container at a time, too
    spec = spec.model_copy(update={"limits": limits})
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as folder:
        top = Path(folder)
        top.chmod(0o711)
        scans = write_scans(top / "Task_4", CASES)
        archive = build_image({"/app/predict.py": BLANK_MAP}, ensure_base(), name="proctor-bench-queue")
        try:
            return [_compare(spec, scans, archive, top, slots) for slots in (1, 2)]
        finally:
            archive.unlink()


def _compare(spec: Challenge, scans: Path, archive: Path, top: Path, slots: int) -> Comparison:
    with platform(slots) as running:
        running.prepare(spec, _TASK, scans)
        team = join(running, spec.challenge, archive)
        team.run(running, _TASK, _TRACK)  # uncounted: it loads the image
        loops = _loops(spec, team.image, scans, top, slots)
        loops()
        ours, bare = [], []
        for _ in range(ROUNDS):
            bare.append(loops())
            ours.append(_through_the_queue(running, team))
    subprocess.run(["docker", "image", "rm", "--force", team.image], check=True, capture_output=True)
    name = f"{CASES} cases, {slots} slot{'s' * (slots > 1)}"
    other = "docker run loop" if slots == 1 else f"{slots} docker run loops"
    return Comparison(name, Side("queue", tuple(ours)), Side(other, tuple(bare)), least=LEAST)


def _through_the_queue(running: RunningPlatform, team: SubmittingTeam) -> float:
    took, own = spent(running, team.run(running, _TASK, _TRACK))
    print(f"  slot time less container time: {(took - own) / CASES * 1e3:.0f} ms a case")
    return took


def _loops(spec: Challenge, image: str, scans: Path, top: Path, slots: int) -> Callable[[], float]:
    """A function that runs one loop per slot side by side and returns the seconds until the last has ended."""
    scan = next(scans.glob("preprocessed/*/*/*.nii.gz"))
    cpusets = [slot.environment()["PROCTOR_SLOT_CPUSET"] for slot in deal(slots)]
    scripts = [
        _loop(spec, image, scan, top / f"bare-{slots}-{n}", cpuset) for n, cpuset in enumerate(cpusets)
    ]

    def run() -> float:
        began = time.perf_counter()
        children = [
            subprocess.Popen(["sh", "-ec", script.format(cases=CASES // slots)], stdout=_NULL, stderr=_NULL)
            for script in scripts
        ]
        codes = [child.wait() for child in children]
        if any(codes):
            raise RuntimeError("a bare container failed")
        return time.perf_counter() - began

    return run


def _loop(spec: Challenge, image: str, scan: Path, top: Path, cpuset: str) -> str:
    """A shell script that runs `{cases}` containers one after the other with the platform's own options."""
    task = spec.tasks[_TASK]
    inputs = top / "input"
    inputs.mkdir(parents=True)
    file = task.all_inputs[0].file
    (inputs / file).write_bytes(scan.read_bytes())
    slot, limits = Slot(cpuset), spec.limits_of(_TASK)
    files = {task.all_inputs[0].key: inputs / file}
    job = CaseJob("bare", image, task, _TASK, _TRACK, files, "case", limits, slot, top)
    host = options.Host(os.cpu_count() or 1, None)
    config = options.build(job, host, options.Mounts(inputs, {}))
    flags = [*_flags(config, top), "--entrypoint", config["Entrypoint"][0], image]
    command = shlex.join(["docker", "run", "--rm", *flags, *config["Entrypoint"][1:], *config["Cmd"]])
    writable = " ".join(shlex.quote(str(top / name)) for name in ("output", "work", "tmp"))
    answer = shlex.quote(f"{top}/output/case{task.output.suffix}")
    each = f"rm -rf {writable}; mkdir -m 1777 {writable}; {command}; test -s {answer}"
    return f"for n in $(seq {{cases}}); do {each}; done"


def _flags(config: dict[str, Any], top: Path) -> list[str]:
    """The create call's options as the command line has them."""
    host = config["HostConfig"]
    seccomp = top / "seccomp.json"
    seccomp.write_text(host["SecurityOpt"][1].removeprefix("seccomp="))
    flags = ["--network=none", "--init", "--no-healthcheck", f"--workdir={config['WorkingDir']}"]
    flags += [f"--hostname={config['Hostname']}", f"--dns={host['Dns'][0]}"]
    flags += [f"--env={variable}" for variable in config["Env"]]
    flags += [f"--cap-drop={capability}" for capability in host["CapDrop"]] + [
        f"--cap-add={capability}" for capability in host["CapAdd"]
    ]
    flags += [f"--security-opt={host['SecurityOpt'][0]}", f"--security-opt=seccomp={seccomp}"]
    flags += [f"--pids-limit={host['PidsLimit']}", f"--memory={host['Memory']}"]
    flags += [f"--memory-swap={host['MemorySwap']}", f"--oom-score-adj={host['OomScoreAdj']}"]
    flags += [f"--cpuset-cpus={host['CpusetCpus']}", f"--shm-size={host['ShmSize']}"]
    flags += [f"--cpus={host['NanoCpus'] / 1e9}"] if host["NanoCpus"] else []
    flags += [f"--ulimit={limit['Name']}={limit['Soft']}:{limit['Hard']}" for limit in host["Ulimits"]]
    flags += ["--ipc=private", "--cgroupns=private", f"--log-driver={host['LogConfig']['Type']}"]
    flags += [f"--log-opt={key}={value}" for key, value in host["LogConfig"]["Config"].items()]
    places = {"output": options.OUTPUT, "work": options.WORK, "tmp": options.TMP}
    flags += [f"--volume={top / 'input'}:{options.INPUT}:ro"]
    return flags + [f"--volume={top / name}:{path}" for name, path in places.items()]
