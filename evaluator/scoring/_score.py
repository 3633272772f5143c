"""Scoring of one board, by the kind of its task's output."""

from pathlib import Path

from evaluator.manifest import Manifest, load_references
from evaluator.scoring._cases import score_segmentations
from evaluator.scoring._dataset import score_numbers
from evaluator.scoring._probe import score_probe
from evaluator.scoring._report import Report
from evaluator.scoring._values import Job, ReadOutput, ScoringError, bound_metrics, canonical_outputs
from evaluator.spec import Challenge


def score_board(
    challenge: Challenge, board: str, manifest: Manifest, references: Path, predictions: Path
) -> Report:
    """The report of one board from a directory of canonical outputs.

    A case of the manifest without a file in `predictions` takes what its metric declares for a missing
    output; files that the manifest does not name are never looked at.

    Args:
        challenge: the challenge.
        board: name of the board.
        manifest: the cases, in the order of the report.
        references: directory of the references (see `evaluator.manifest`).
        predictions: directory of canonical `<case><suffix>` files, of valid cases only.

    Raises:
        ScoringError: the board, its metrics or the dataset do not fit together.
        evaluator.manifest.ManifestError: references are missing or unusable.
    """
    if board not in challenge.boards:
        raise ScoringError(f"there is no board {board!r}; the boards are {', '.join(challenge.boards)}")
    task = challenge.tasks[challenge.boards[board].task]
    return score_outputs(challenge, board, manifest, references, canonical_outputs(task, predictions))


def score_outputs(
    challenge: Challenge, board: str, manifest: Manifest, references: Path, read: ReadOutput
) -> Report:
    """As `score_board`, with outputs from a function instead of a directory."""
    if board not in challenge.boards:
        raise ScoringError(f"there is no board {board!r}; the boards are {', '.join(challenge.boards)}")
    spec = challenge.boards[board]
    task = challenge.tasks[spec.task]
    found = load_references(references, manifest)
    job = Job(board, spec, task, manifest, found, read, bound_metrics(spec))
    if (spec.probe is not None) != (task.output.kind == "embedding"):
        raise ScoringError(f"board {board}: a probe is for embeddings, and embeddings need a probe")
    if task.output.kind == "embedding":
        return score_probe(job)
    return score_segmentations(job) if task.output.kind == "segmentation" else score_numbers(job)
