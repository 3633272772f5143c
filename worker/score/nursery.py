"""Single-use children that score boards: run as `python -m worker.score.nursery PARENT`.

Importing the evaluator takes longer than most boards, and reading a dataset's references as long as reading a team's
outputs. So one process does both once, never reads a stranger's byte itself, and forks a child for each board. The
bounds that it has are each child's. It speaks JSON lines: a request comes in, `{"code": exit code, or minus a signal}`
goes out when its child has ended. It ends with its input, and its child with it.
"""

import gc
import json
import os
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from evaluator.cli.score import Ground, load_ground, score_on
from evaluator.scoring import KeptReferences, read_ahead
from evaluator.version import evaluator_version
from worker.score.processes import ScoreRequest, end_with


class ScoringNursery:
    """What children are forked with: the ground of all who are scored, and the boards whose references are read."""

    def __init__(self) -> None:
        self._stamps: Any = None
        self._ground: Ground | None = None
        self._ahead: set[str] = set()

    def run(self) -> None:
        """Serves requests until the input ends."""
        for line in sys.stdin:
            request = ScoreRequest(**json.loads(line))
            self._speak_into(request.said)
            # What is wrong with the dataset each child finds out, and says, for itself.
            with suppress(Exception):
                self._prepare(request)
            os.write(sys.stdout.fileno(), json.dumps({"code": self._born(request)}).encode() + b"\n")

    def _speak_into(self, said: str) -> None:
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, sys.stderr.fileno())
        os.close(file)

    def _prepare(self, request: ScoreRequest) -> None:
        stamps = _stamps(Path(request.references))
        if stamps != self._stamps:
            self._ground, self._ahead = None, set()
            self._ground, self._stamps = _ground(request), stamps
        if self._ground is not None and request.shared and request.board not in self._ahead:
            self._ahead.add(request.board)
            import scipy.special  # noqa: F401 - intervals need it, and importing it takes longer than most boards

            evaluator_version()
            self._ground = ground = replace(
                self._ground, references=KeptReferences.of(self._ground.references)
            )
            read_ahead(ground.spec, request.board, ground.cases, ground.references)

    def _born(self, request: ScoreRequest) -> int:
        """Forks a child for the request; how it ended."""
        gc.freeze()  # else a collection would write to, and so copy, every page that children share
        own = os.getpid()
        child = os.fork()
        if child == 0:
            end_with(own)
            _live(request, self._ground)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _ground(request: ScoreRequest) -> Ground:
    folder = Path(request.folder)
    return load_ground(folder / "challenge.json", None, folder / "manifest.json", Path(request.references))


def _stamps(references: Path) -> list[tuple[str, int, int, int]]:
    """What tells whether a reference was exchanged."""
    with os.scandir(references) as entries:
        found = [(entry.name, entry.stat()) for entry in entries]
    return sorted((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found)


def _live(request: ScoreRequest, ground: Ground | None) -> None:
    """The child's whole life: one board, one report, one exit code."""
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, sys.stdin.fileno())  # what the parent speaks through
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        folder = Path(request.folder)
        score_on(
            lambda: ground or _ground(request),
            board=request.board,
            predictions=folder / "predictions",
            report_file=folder / f"{request.board}.json",
            cache=folder / "probes",  # boards of one task share what was trained
        )
        code = 0
    except typer.Exit as exit_:
        code = exit_.exit_code
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must not go on twice
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serves the process that started this one."""
    end_with(int(sys.argv[1]))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names are no fault
    ScoringNursery().run()


if __name__ == "__main__":
    main()
