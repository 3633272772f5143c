"""`python -m evaluator score`: outputs and references in, a report out."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from evaluator import outputs
from evaluator.cli._ending import ended
from evaluator.cli._files import refuse_unwritable
from evaluator.cli._given import left_aside, refuse_no_outputs, refuse_other_inputs
from evaluator.cli._progress import Advance, progress
from evaluator.interval_methods import CALLED
from evaluator.manifest import Manifest, ManifestError, References, load_manifest, load_references
from evaluator.scoring import MetricReport, ReadOutput, Report, ScoringError, score_outputs
from evaluator.spec import Board, Challenge, Maps, SpecError, Task, load_challenge
from evaluator.terminal import Console, harmless_json, say
from evaluator.verdicts import Check

_NO_FILE = "There is no such file among the predictions."
_LIE_ELSEWHERE = (
    "have another affine than the reference (voxels were compared in the order in which they are stored; if axes are "
    "mirrored or swapped, the values are of no use)"
)
_NAMED = 20  # entries in a sentence; the report names all


def score_command(
    challenge: Annotated[Path, typer.Option("--challenge", help="The challenge file.")],
    board: Annotated[str, typer.Option("--board", help="The board to score, such as task2.")],
    manifest: Annotated[Path, typer.Option("--manifest", help="The inputs manifest, a JSON file.")],
    references: Annotated[
        Path, typer.Option("--references", help="Directory of references.csv and label maps.")
    ],
    predictions: Annotated[Path, typer.Option("--predictions", help="Directory of outputs named by case.")],
    report_file: Annotated[
        Path,
        typer.Option("--json", help="Where the report is written; - is standard output, and nothing else."),
    ],
    overlay: Annotated[Path | None, typer.Option("--overlay", help="A site's file merged over it.")] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Directory in which boards of one task share trained probes."),
    ] = None,
) -> None:
    """Score one board and write the report.

    An output that does not pass the checks of its kind counts as missing and is named on stderr by its entry
    in the manifest.

    Exit codes: 0 scored, 1 the run as a whole is rejected (the report says why), 2 the call, the challenge
    file or the dataset is wrong, 3 a metric that is not built in failed (the report has the others).
    """
    score_on(
        lambda: load_ground(challenge, overlay, manifest, references),
        board=board,
        predictions=predictions,
        report_file=report_file,
        cache=cache,
    )


@dataclass(frozen=True)
class Ground:
    """What all who are scored on one dataset have in common. file: that of the manifest."""

    spec: Challenge
    cases: Manifest
    references: References
    file: Path


def load_ground(challenge: Path, overlay: Path | None, manifest: Path, references: Path) -> Ground:
    """The ground in these files.

    Raises:
        SpecError, ManifestError, OSError: with what is wrong, and where.
    """
    spec, cases = load_challenge(challenge, overlay), load_manifest(manifest)
    return Ground(spec, cases, load_references(references, cases), manifest)


def score_on(
    load: Callable[[], Ground], *, board: str, predictions: Path, report_file: Path, cache: Path | None
) -> None:
    """Scores one board, writes the report and says what is in it.

    Raises:
        typer.Exit: with the exit code of the command, where it is another one than 0.
    """
    try:
        refuse_unwritable("--json", report_file)
        ground = load()
        spec, cases = ground.spec, ground.cases
        if board not in spec.boards:
            raise ScoringError(f"there is no board {board!r}; the boards are {', '.join(spec.boards)}")
        if not predictions.is_dir():
            raise ScoringError(f"{predictions}: there is no such directory")
        task = spec.tasks[spec.boards[board].task]
        refuse_other_inputs(task, cases, ground.file)
        refuse_no_outputs(task, cases, predictions)
        say(*left_aside(task, cases, ground.references, predictions), err=True)
        with progress(f"Scoring {board}", len(cases.cases)) as advance:
            read = _checked(task, cases, ground.references, predictions, advance)
            report = score_outputs(spec, board, cases, ground.references, read, cache=cache)
        text = report.model_dump_json(indent=2) + "\n"
        if str(report_file) == "-":
            say(harmless_json(text.rstrip("\n")))
            sys.stdout.flush()  # what does not fit is found out here
        else:
            report_file.write_text(text, encoding="utf-8")
    except (SpecError, ManifestError, ScoringError, OSError) as error:
        raise ended(error, 2) from None
    _complain(report)
    if str(report_file) != "-":
        _say(report, spec.boards[board])
    if report.rejected is not None:
        raise typer.Exit(1)
    if any(metric.fault for metric in report.metrics.values()):
        raise typer.Exit(3)


def _checked(
    task: Task, manifest: Manifest, references: References, predictions: Path, advance: Advance
) -> ReadOutput:
    """Outputs as a container wrote them, through the checks that a worker makes."""
    entries = {case: entry for entry, case in enumerate(manifest.names, 1)}
    named: set[str] = set()  # a metric that is not built in reads once more

    def read(case: str) -> outputs.Value | None:
        path = predictions / f"{case}{task.output.suffix}"
        # A label map has the shape of the inputs, which may be elsewhere.
        like = {"reference": references.label_map_path(case)} if isinstance(task.kind.labels, Maps) else {}
        try:
            result = outputs.check_output(task, path, like)
        except outputs.InputUnreadable as error:
            raise ManifestError(
                f"entry {entries[case]} of the manifest: its reference label map: {error}"
            ) from None
        advance(entries[case])
        if result.valid and result.value is not None:
            return result.value
        if case not in named:
            named.add(case)
            detail = f" ({result.detail})" if result.detail else ""
            message = _NO_FILE if result.check is Check.MISSING else result.message
            say(f"entry {entries[case]} counts as missing: {message}{detail}", err=True)
        return None

    return read


def _complain(report: Report) -> None:
    if report.rejected is not None:
        say(f"{report.board}: rejected: {report.rejected}", err=True)
    if elsewhere := set(report.extras.other_affine):
        say(
            f"{report.board}: {len(elsewhere)} of {len(report.cases)} masks {_LIE_ELSEWHERE}: "
            f"{_entries([entry for entry, case in enumerate(report.cases, 1) if case in elsewhere])}",
            err=True,
        )
    for key, metric in report.metrics.items():
        if metric.fault is not None:
            say(f"{report.board} {key}: {metric.fault}: {metric.reason}", err=True)


def _entries(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more, which the report names" if len(numbers) > _NAMED else ""
    return f"{'entry' if len(numbers) == 1 else 'entries'} {named}{more}"


def _say(report: Report, board: Board) -> None:
    if report.rejected is not None:
        return
    if sys.stdout.isatty():
        Console().print(_table(report, board))
    else:
        for key, metric in report.metrics.items():
            if metric.fault is None:
                say(f"{report.board} {key}: {_words(metric)}")
                if metric.interval_note is not None:
                    say(f"  {metric.interval_note}")
    if report.extras.missing:
        say(f"{report.extras.missing} of {len(report.cases)} cases without a valid output")


def _words(metric: MetricReport) -> str:
    if metric.value is None:
        return f"not scored: {metric.reason}"
    return f"{metric.value:.4f}" + ("" if metric.low is None else f" ({_interval(metric)})")


def _interval(metric: MetricReport) -> str:
    made = f", {CALLED[metric.interval_method]}" if metric.interval_method else ""
    return f"{metric.low:.4f} to {metric.high:.4f}{made}"


def _table(report: Report, board: Board) -> Table:
    table = Table(title=Text(board.title, "bold"), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("metric")
    table.add_column("value", justify="right", style="bold")
    table.add_column(f"{board.bootstrap.level:.0%} interval", justify="right")
    for key, metric in report.metrics.items():
        title = Text(board.metrics[key].title or key)
        if metric.value is None:
            table.add_row(title, "–", Text(metric.reason or "", "yellow"))
        else:
            interval = "" if metric.low is None else _interval(metric)
            table.add_row(title, f"{metric.value:.4f}", interval)
    notes = dict.fromkeys(metric.interval_note for metric in report.metrics.values() if metric.interval_note)
    table.caption, table.caption_justify = "\n".join(notes), "left"
    return table
