"""`python -m evaluator score`: outputs and references in, a report out."""

from pathlib import Path
from typing import Annotated

import typer

from evaluator import outputs
from evaluator.manifest import Manifest, ManifestError, load_manifest
from evaluator.scoring import ReadOutput, Report, ScoringError, score_outputs
from evaluator.spec import SpecError, Task, load_challenge


def score_command(
    challenge: Annotated[Path, typer.Option("--challenge", help="The challenge file.")],
    board: Annotated[str, typer.Option("--board", help="The board to score, such as task2.")],
    manifest: Annotated[Path, typer.Option("--manifest", help="The inputs manifest, a JSON file.")],
    references: Annotated[
        Path, typer.Option("--references", help="Directory of references.csv and label maps.")
    ],
    predictions: Annotated[Path, typer.Option("--predictions", help="Directory of outputs named by case.")],
    report_file: Annotated[Path, typer.Option("--json", help="Where the report is written.")],
    overlay: Annotated[Path | None, typer.Option("--overlay", help="A site's file merged over it.")] = None,
) -> None:
    """Score one board and write the report.

    An output that does not pass the checks of its kind counts as missing and is named on stderr by its entry
    in the manifest.

    Exit codes: 0 scored, 1 the run as a whole is rejected (the report says why), 2 the call, the challenge
    file or the dataset is wrong, 3 a metric that is not built in failed (the report has the others).
    """
    try:
        spec = load_challenge(challenge, overlay)
        cases = load_manifest(manifest)
        if board not in spec.boards:
            raise ScoringError(f"there is no board {board!r}; the boards are {', '.join(spec.boards)}")
        if not predictions.is_dir():
            raise ScoringError(f"{predictions}: there is no such directory")
        task = spec.tasks[spec.boards[board].task]
        report = score_outputs(spec, board, cases, references, _checked(task, cases, references, predictions))
        report_file.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except (SpecError, ManifestError, ScoringError, outputs.InputUnreadable, OSError) as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from None
    _say(report)
    if report.rejected is not None:
        raise typer.Exit(1)
    if any(metric.fault for metric in report.metrics.values()):
        raise typer.Exit(3)


def _checked(task: Task, manifest: Manifest, references: Path, predictions: Path) -> ReadOutput:
    """Outputs as a container wrote them, through the checks that a worker makes."""
    entries = {case: entry for entry, case in enumerate(manifest.names, 1)}

    def read(case: str) -> outputs.Value | None:
        path = predictions / f"{case}{task.output.suffix}"
        like = {
            "reference": references / f"{case}.nii.gz"
        }  # has the shape of the inputs, which may be elsewhere
        result = outputs.check_output(task, path, like)
        if not result.valid or result.value is None:
            detail = f" ({result.detail})" if result.detail else ""
            typer.echo(f"entry {entries[case]} counts as missing: {result.message}{detail}", err=True)
            return None
        return result.value

    return read


def _say(report: Report) -> None:
    if report.rejected is not None:
        typer.echo(f"{report.board}: rejected: {report.rejected}", err=True)
        return
    for key, metric in report.metrics.items():
        if metric.fault is not None:
            typer.echo(f"{report.board} {key}: {metric.fault}: {metric.reason}", err=True)
        elif metric.value is None:
            typer.echo(f"{report.board} {key}: not scored: {metric.reason}")
        elif metric.low is None:
            typer.echo(f"{report.board} {key}: {metric.value:.4f}")
        else:
            typer.echo(f"{report.board} {key}: {metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f})")
    if report.extras.missing:
        typer.echo(f"{report.extras.missing} of {len(report.cases)} cases without a valid output")
