"""What `proctor try` does where containers can run: find the cases, run them, and say what became of each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.text import Text

from client.app import err, out, warn
from client.cases import LocalCase, find_cases
from client.errors import Local, WrongUsage
from client.progress import waiting
from client.rules import read_rules, require_task
from client.trial import (
    TrialPlan,
    connect,
    driver_warning,
    host_memory,
    image_on_engine,
    labels_of,
    limits_here,
    requires_driver,
    try_cases,
)
from contract.images import ImageFacts
from evaluator.spec import Challenge, Limits, with_limit
from evaluator.terminal import in_line
from sandbox.archive import CheckpointLabels
from sandbox.engine import Engine
from sandbox.engines import EngineKind
from sandbox.faults import EngineFault
from sandbox.gpu import InstalledGpu, gpus
from sandbox.jobs import CaseOutcome

_VARIES = re.compile(r"0x[0-9a-f]{6,}|case\d{4}")
"""What differs between two logs that say the same: addresses of objects, and the name that a case is run under."""


def try_on_cases(
    image: str,
    task: str,
    cases: Path,
    challenge: str,
    *,
    overlay: Path | None,
    track: str | None,
    first: int | None,
    engine: str | None = None,
) -> bool:
    """Runs an image on public cases and prints what became of each; whether every case is valid.

    Raises:
        ClientError: what was named cannot be used, or there is no engine.
    """
    spec = read_rules(challenge, overlay).spec
    require_task(spec, task)
    if track is not None and track not in spec.tracks:
        raise WrongUsage(f"There is no track {track!r}.", f"Tracks: {', '.join(spec.tracks)}.")
    ready, problems = find_cases(cases, task, spec.tasks[task])
    for problem in problems:
        err.print(f"left out: {problem}", style="yellow")
    with _engine(_kind(engine)) as running:
        memory, cpus = host_memory(running)
        card = next(iter(gpus()), None)
        gpu = card.uuid if card else None
        limits, warnings = limits_here(spec.limits_of(task), memory=memory, cpus=cpus, gpu=gpu)
        calls = {task.call for task in spec.tasks.values()}
        used = card if limits.gpu else None
        tell = partial(_tell, spec, running, used)
        wait = partial(waiting, err)
        with image_on_engine(
            running, image, limit=limits.image, calls=calls, tell=tell, waiting=wait
        ) as digest:
            if not Path(image).is_file():
                _tell_labels(spec, labels_of(running, digest))
                _tell_driver(running, used, requires_driver(running, digest))
            for warning in warnings:
                err.print(warning, style="yellow")
            plan = TrialPlan(digest, task, spec, track or spec.tracks[0], limits, gpu if limits.gpu else None)
            failed = _run(running, plan, ready[:first])
    total = len(ready[:first])
    out.print(f"{total - failed} of {total} cases valid.")
    return not failed


def _tell(spec: Challenge, engine: Engine, card: InstalledGpu | None, facts: ImageFacts) -> None:
    """Says what the check of a file found."""
    _tell_checkpoint(spec, facts)
    _tell_driver(engine, card, facts.requires_driver)


def _tell_driver(engine: Engine, card: InstalledGpu | None, wanted: tuple[str, ...]) -> None:
    said = driver_warning(EngineKind(engine.raw.kind), card, wanted)
    if said is not None:
        warn(said)


def _tell_checkpoint(spec: Challenge, facts: ImageFacts) -> None:
    """Says what the server will find of the checkpoint of an image in a file."""
    if spec.checkpoint is None or facts.checkpoint is None:
        return
    if facts.checkpoint.verified:
        err.print(
            Text(in_line(f"Its checkpoint {facts.checkpoint.path} is verified: {facts.checkpoint.sha256}."))
        )
    else:
        _warn_of_checkpoint(spec, facts.checkpoint.why)


def _tell_labels(spec: Challenge, labels: CheckpointLabels | None) -> None:
    """Says what the engine's image declares; only in an archive can the file be compared."""
    if spec.checkpoint is None:
        return
    if labels is None or labels.wrong is not None:
        _warn_of_checkpoint(spec, None if labels is None else labels.wrong)
    else:
        err.print(
            Text(in_line(f"It declares the checkpoint {labels.path}: {labels.sha256}.")),
            "To have the file compared, save the image with `docker save`, and try that archive.",
        )


def _warn_of_checkpoint(spec: Challenge, why: str | None) -> None:
    ends = " The server will refuse it." if spec.checkpoint == "required" else ""
    warn(f"{why or 'The image declares no pretrained checkpoint.'}{ends}")


def _kind(engine: str | None) -> EngineKind | None:
    kinds = [kind.value for kind in EngineKind]
    if engine is not None and engine not in kinds:
        raise WrongUsage(f"There is no engine {engine!r}.", f"Engines: {', '.join(kinds)}.")
    return None if engine is None else EngineKind(engine)


@contextmanager
def _engine(kind: EngineKind | None) -> Iterator[Engine]:
    engine = connect(kind)
    try:
        yield engine
    except EngineFault as fault:
        raise Local(f"The container engine failed, not the image: {fault}") from None
    finally:
        engine.close()


def _run(engine: Engine, plan: TrialPlan, cases: list[LocalCase]) -> int:
    """Runs and prints every case; how many are not valid."""
    failed = 0
    logs = PrintedLogs()
    for case, outcome in try_cases(engine, plan, cases):
        if outcome.verdict.valid:
            show(case.name, outcome, plan.limits)
            continue
        failed += 1
        show(case.name, outcome, plan.limits, same_as=logs.first_with(case.name, outcome.log))
    return failed


class PrintedLogs:
    """The logs that were printed, so that none is twice."""

    def __init__(self) -> None:
        self._cases: dict[str, str] = {}

    def first_with(self, case: str, log: str) -> str | None:
        """The case whose log, printed before, says the same; None where this one is the first, or empty."""
        first = self._cases.setdefault(_VARIES.sub("", log), case)
        return None if not log or first == case else first


def show(name: str, outcome: CaseOutcome, limits: Limits, *, same_as: str | None = None) -> None:
    """Prints the verdict of a case, and where it is not valid why, with the container's log.

    same_as: the case whose log was printed and is the same.
    """
    verdict = outcome.verdict
    colour = "green" if verdict.valid else "red"
    peak = "" if outcome.peak_memory_bytes is None else f"  {outcome.peak_memory_bytes / 2**20:.0f} MiB"
    # A line of its own for the code, which a table would cut where the terminal is narrow.
    said = Text.assemble(f"{in_line(name)}  ", (verdict.code, colour), f"  {outcome.seconds:.1f} s{peak}")
    out.print(said, soft_wrap=True)
    for warning in verdict.warnings:
        out.print(f"  {warning}", style="yellow")
    if not verdict.valid:
        out.print(f"  {with_limit(verdict.message, limits)}")
        if outcome.detail:
            out.print(f"  {outcome.detail}")
        ending = "" if outcome.exit_code is None else f"exit code {outcome.exit_code}; "
        if same_as is not None:
            out.print(Text(f"  {ending}log of the container: the same as of {in_line(same_as)}", style="dim"))
            return
        out.print(f"  {ending}log of the container:", style="dim")
        out.print(outcome.log or "(empty)", soft_wrap=True)
