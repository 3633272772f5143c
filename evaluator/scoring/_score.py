"""Scoring of one board, by the kind of its task's output."""

from pathlib import Path
from pkgutil import resolve_name

from evaluator.manifest import Manifest, References, load_references
from evaluator.outputs import input_header
from evaluator.resampling import DRAWS
from evaluator.scoring._plugins import split_metrics, with_plugin
from evaluator.scoring._report import Report
from evaluator.scoring._settings import settings_of
from evaluator.scoring._values import Job, ReadOutput, ScoringError, bound_metrics, canonical_outputs
from evaluator.spec import Challenge, Maps


def score_board(
    challenge: Challenge,
    board: str,
    manifest: Manifest,
    references: Path,
    predictions: Path,
    *,
    cache: Path | None = None,
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
        cache: directory in which processes that score boards of one task share trained probes; what lies in
            it is believed.

    Raises:
        ScoringError: the board, its metrics or the dataset do not fit together.
        evaluator.manifest.ManifestError: references are missing or unusable.
    """
    if board not in challenge.boards:
        raise ScoringError(f"there is no board {board!r}; the boards are {', '.join(challenge.boards)}")
    task = challenge.tasks[challenge.boards[board].task]
    return score_outputs(
        challenge, board, manifest, references, canonical_outputs(task, predictions), cache=cache
    )


def score_outputs(
    challenge: Challenge,
    board: str,
    manifest: Manifest,
    references: Path | References,
    read: ReadOutput,
    *,
    cache: Path | None = None,
) -> Report:
    """As `score_board`, with outputs from a function instead of a directory, and references that may be loaded."""
    if board not in challenge.boards:
        raise ScoringError(f"there is no board {board!r}; the boards are {', '.join(challenge.boards)}")
    spec = challenge.boards[board]
    task = challenge.tasks[spec.task]
    truth = references if isinstance(references, References) else load_references(references, manifest)
    job = Job(board, spec, task, manifest, truth, read, bound_metrics(spec, task.kind), cache)
    own, foreign = split_metrics(job)
    report = _run(own)
    for key, metric in foreign.items():
        report = with_plugin(report, job, key, metric, _run)
    metrics = {key: report.metrics[key] for key in spec.metrics}
    made = {"bootstrap": spec.bootstrap, "draws": DRAWS, "settings": settings_of(spec, task)}
    extras = report.extras.model_copy(update=made)
    return report.model_copy(update={"metrics": metrics, "extras": extras})


def read_ahead(challenge: Challenge, board: str, manifest: Manifest, references: References) -> None:
    """Reads and draws what every scoring of a board has in common, as if for nobody's outputs and no metric.

    What `references` keep of it, the draws, and the headers that outputs are held against are there for processes that
    are forked afterwards.

    Raises:
        ScoringError, evaluator.manifest.ManifestError, evaluator.outputs.InputUnreadable: references are unusable.
    """
    spec = challenge.boards[board]
    task = challenge.tasks[spec.task]
    if isinstance(task.kind.labels, Maps):
        for case in manifest.names:
            input_header(references.label_map_path(case))
    _run(Job(board, spec, task, manifest, references, lambda case: None, {}))


def _run(job: Job) -> Report:
    kind = job.task.kind
    if (job.board.probe is not None) != kind.probed:
        raise ScoringError(f"board {job.name}: a probe is for embeddings, and embeddings need a probe")
    report: Report = resolve_name(kind.scorer)(job)
    return report
