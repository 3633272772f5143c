"""Scoring in a child process: outputs are strangers' data, so they are parsed under limits and away from us."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from evaluator.scoring import Report
from server.disk import Room
from server.errors import StorageFull

MEMORY = 8 * 2**30
SECONDS = 3600
_LOOK_EVERY = 1.0
_REPORTED = (0, 1)  # scored, or the run was rejected: both wrote a report
# Sent by others, as by the kernel when memory is short; a crash of the child's own is none of them.
_ENDED_BY = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LACKING = tuple(
    map(
        os.strerror,
        (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
    )
)


class ScoringFailed(Exception):
    """The evaluator did not produce a report: a fault of ours. The text is for admins."""


class ScorerLost(ScoringFailed):
    """It was ended from outside or lacked what the machine had not: later it may well score."""


def score(folder: Path, *, board: str, references: Path, room: Room) -> Report:
    """Runs `python -m evaluator score` on what lies in `folder` and returns its report.

    `folder` holds challenge.json, manifest.json and predictions/; `room` is what may be written to its disk.

    Raises:
        StorageFull: the room was used up meanwhile.
        ScorerLost: the child was killed, or the machine had no disk or memory for it.
        ScoringFailed: the child failed, ran too long, or wrote no report that can be read.
    """
    out = folder / f"{board}.json"
    command = [sys.executable, "-m", "evaluator", "score", "--board", board, "--json", str(out)]
    command += ["--challenge", str(folder / "challenge.json"), "--manifest", str(folder / "manifest.json")]
    command += ["--references", str(references), "--predictions", str(folder / "predictions")]
    command += ["--cache", str(folder / "probes")]  # boards of one task share what was trained
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LC_ALL": "C.UTF-8",
    }
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as child:
        resource.prlimit(child.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        try:
            printed = _printed(child, room)
        except (subprocess.TimeoutExpired, StorageFull) as error:
            child.kill()
            if isinstance(error, StorageFull):
                raise
            raise ScoringFailed(f"{board}: still running after {SECONDS} s") from None
    if child.returncode not in _REPORTED or not out.is_file():
        raise failure(board, child.returncode, printed.decode(errors="replace")[-2000:].strip())
    try:
        return Report.model_validate_json(out.read_bytes())
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, flaw['loc']))} {flaw['msg']}".strip() for flaw in error.errors()
        )
        raise ScoringFailed(f"{board}: its report cannot be read: {told}") from None


def _printed(child: subprocess.Popen[bytes], room: Room) -> bytes:
    """What it prints until it ends."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return child.communicate(timeout=_LOOK_EVERY)[0]
        except subprocess.TimeoutExpired:
            room.require()
            if time.monotonic() > until:
                raise


def failure(board: str, code: int, text: str) -> ScoringFailed:
    """What a child that wrote no report means: `code` as Popen tells it, `text` what it printed last."""
    if code < 0:
        kind = ScorerLost if -code in _ENDED_BY else ScoringFailed
        return kind(f"{board}: ended by signal {-code} ({signal.strsignal(-code)}): {text}")
    kind = ScorerLost if any(lack in text for lack in _LACKING) else ScoringFailed
    return kind(f"{board}: exit code {code}: {text}")
