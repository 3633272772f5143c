"""What holds of a container of Apptainer, and what the group of a batch job has to hold instead."""

import os
import shutil

from sandbox.engine import Engine
from sandbox.findings import BoundFinding, Level
from sandbox.gpu import gpus

_WATCHED = (
    "Ten looks a second, of what processes have mapped: what grows faster, or lies in /dev/shm, is not seen."
)
_JOB = "Run it in a Slurm job with ConstrainRAMSpace, ConstrainSwapSpace and ConstrainCores, and --mem."


def findings(engine: Engine) -> list[BoundFinding]:
    """What is known of Apptainer on this host; nothing of another engine."""
    if engine.raw.kind != "apptainer":
        return []
    found = [
        user(os.geteuid()),
        tool("prlimit", "util-linux", "Open files, the size of one file and core dumps are bounded."),
        tool("tar", "tar", "What a container leaves in /output can be read."),
        BoundFinding("memory, processes", "warning", _WATCHED, _JOB),
        BoundFinding("cores", "warning", "Processor time is not bounded.", _JOB),
        BoundFinding(
            "/output, /tmp, working directory",
            "warning",
            "They are folders whose size is looked at every two seconds.",
            f"Give the folder of images and containers a disk with space to spare: {engine.host['DockerRootDir']}.",
        ),
        BoundFinding(
            "system calls",
            "warning",
            "No call filter of ours is set.",
            "Try your own images on it; a run worker takes cases once each check that fails is accepted by name.",
        ),
    ]
    return [*found, _cards()] if gpus() else found


def user(number: int) -> BoundFinding:
    """Whether containers run as somebody who may do little on this host."""
    if number:
        return BoundFinding("Apptainer's user", "ok", "Containers run as this user, without any capability.")
    message = "Containers run as root: what gets out of one has the whole host."
    return BoundFinding("Apptainer's user", "problem", message, "Run it as an ordinary user.")


def tool(program: str, package: str, holds: str) -> BoundFinding:
    """Whether a program is there that the engine's module needs, and what holds with it."""
    if shutil.which(program):
        return BoundFinding(program, "ok", holds)
    return BoundFinding(program, "problem", f"There is no {program}: no case runs.", f"Install {package}.")


def _cards() -> BoundFinding:
    level: Level = "warning"
    message = "A container may open every GPU that this user may; CUDA_VISIBLE_DEVICES names one."
    remedy = "Run it in a Slurm job with ConstrainDevices and --gpus=1."
    return BoundFinding("Apptainer's GPUs", level, message, remedy)
