"""Scoring in child processes: outputs are strangers' data, so they are parsed under limits and away from us."""

import errno
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Self

from pydantic import ValidationError

from evaluator.scoring import Report
from server.disk import Room
from worker.score.processes import ScoreRequest

MEMORY = 8 * 2**30
SECONDS = 3600
_LOOK_EVERY = 1000  # milliseconds
_LAST_SAID = 2000
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


class ScoringLate(ScoringFailed):
    """It ran too long."""


class Scorer:
    """Scores boards of evaluations on one challenge version and one dataset, in a child process each.

    The process that forks them (`worker.score.nursery`) is started when first needed, and keeps what they share until
    `close`. Nothing that goes wrong in it, or in a child that has shared it, is held against a board before the same
    happened to that board alone, in a process of its own.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process that is running, if one is."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """Ends the process, and with it the child that it may have."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    _pipe(stream).close()

    def score(self, folder: Path, *, board: str, references: Path, room: Room, shared: bool) -> Report:
        """The report of one board, of what lies in `folder`: challenge.json, manifest.json and predictions/.

        `room` is what may be written to its disk. `shared`: whether more is to be scored with the same challenge,
        manifest and references, so that it pays to keep these.

        Raises:
            StorageFull: the room was used up meanwhile.
            ScorerLost: the child was killed, or the machine had no disk or memory for it.
            ScoringFailed: the child failed, ran too long, or wrote no report that can be read.
        """
        alone = self._process is None
        try:
            return self._scored(folder, board, references, room, shared=shared)
        except BaseException as error:
            self.close()  # it may still be at work
            if alone or not isinstance(error, ScoringFailed) or isinstance(error, ScoringLate):
                raise
        with self:
            return self._scored(folder, board, references, room, shared=False)

    def _scored(self, folder: Path, board: str, references: Path, room: Room, *, shared: bool) -> Report:
        out, said = folder / f"{board}.json", folder / f"{board}.said"
        for old in (out, said):
            old.unlink(missing_ok=True)
        request = ScoreRequest(str(folder), board, str(references), str(said), shared)
        code = self._asked(request, said, room)
        if code not in _REPORTED or not out.is_file():
            raise failure(board, code, _end_of(said))
        try:
            return Report.model_validate_json(out.read_bytes())
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(map(str, flaw['loc']))} {flaw['msg']}".strip() for flaw in error.errors()
            )
            raise ScoringFailed(f"{board}: its report cannot be read: {told}") from None

    def _asked(self, request: ScoreRequest, said: Path, room: Room) -> int:
        """The exit code of the child for this request, or that of the process where it ended instead."""
        process, until, answer = self._alive(said), time.monotonic() + SECONDS, select.poll()
        answer.register(_pipe(process.stdout), select.POLLIN)
        with suppress(BrokenPipeError):
            _pipe(process.stdin).write(json.dumps(asdict(request)).encode() + b"\n")
            _pipe(process.stdin).flush()
        while not answer.poll(_LOOK_EVERY):
            room.require()
            if time.monotonic() > until:
                raise ScoringLate(f"{request.board}: still running after {SECONDS} s")
        line = _pipe(process.stdout).readline()
        return int(json.loads(line)["code"]) if line else process.wait()

    def _alive(self, said: Path) -> subprocess.Popen[bytes]:
        if self._process is None:
            environment = {
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": os.pathsep.join(sys.path),
                "LC_ALL": "C.UTF-8",
            }
            environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            with said.open("ab") as errors:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "worker.score.nursery", str(os.getpid())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment,
                )
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        return self._process


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the process was started with pipes")
    return stream


def _end_of(said: Path) -> str:
    """What was printed last."""
    try:
        with said.open("rb") as file:
            file.seek(max(0, said.stat().st_size - 4 * _LAST_SAID))
            return file.read().decode(errors="replace")[-_LAST_SAID:].strip()
    except OSError:
        return ""


def failure(board: str, code: int, text: str) -> ScoringFailed:
    """What a child that wrote no report means: `code` as Popen tells it, `text` what it printed last."""
    if code < 0:
        kind = ScorerLost if -code in _ENDED_BY else ScoringFailed
        return kind(f"{board}: ended by signal {-code} ({signal.strsignal(-code)}): {text}")
    kind = ScorerLost if any(lack in text for lack in _LACKING) else ScoringFailed
    return kind(f"{board}: exit code {code}: {text}")
