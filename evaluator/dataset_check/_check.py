"""The check of one dataset, from its inputs to what a perfect submission gets on each board."""

from collections.abc import Iterator
from pathlib import Path

from evaluator.dataset_check._finding import Finding, Severity, error
from evaluator.dataset_check._groups import age_findings, group_findings, size_findings, split_findings
from evaluator.dataset_check._inputs import input_files, input_findings
from evaluator.dataset_check._labels import against_inputs, read_truths
from evaluator.dataset_check._maps import MapCheck
from evaluator.dataset_check._perfect import perfect_findings, scored, scored_alone
from evaluator.manifest import Manifest, ManifestError, References, load_references
from evaluator.outputs import Header
from evaluator.spec import Challenge, Files, Maps


def check_dataset(
    spec: Challenge, task: str, manifest: Manifest, *, root: Path, references: Path, ranked: bool = True
) -> tuple[Finding, ...]:
    """Everything that stands between this dataset and scores that mean what they should.

    Inputs and references are read by the code that checks outputs and scores them; every reference label map is
    unpacked once, of inputs the headers are. A submission made of the references goes through scoring.

    Args:
        spec: the challenge.
        task: the task whose cases these are.
        manifest: the cases.
        root: what the paths of the manifest's files are relative to.
        references: directory with `references.csv` and `<case>.nii.gz`, in the form that scoring reads.
        ranked: whether the boards are shown anywhere; if not, a board that nobody can get a value on is a warning.

    Returns:
        case by case in the order of the manifest, then of the dataset; each finding once. Without an ERROR, every
        submission can be scored, and a perfect one gets the best value but for what a WARNING names.
    """
    findings = _findings(spec, task, manifest, root, references, ranked)
    return tuple(dict.fromkeys(findings))


def _findings(
    spec: Challenge, task: str, manifest: Manifest, root: Path, references: Path, ranked: bool
) -> Iterator[Finding]:
    maps = MapCheck(spec, task, references) if isinstance(spec.tasks[task].kind.labels, Maps) else None
    sound = True
    for case in manifest.cases:
        headers: dict[str, Header] = {}
        files = input_files(case, root)
        yield from input_findings(spec.tasks[task], case, files, headers)
        if maps is not None:
            for finding in maps.case(case.case, headers):
                sound = sound and finding.severity is not Severity.ERROR
                yield finding
    try:
        rows = load_references(references, manifest)
    except ManifestError as problem:
        yield error("references", str(problem).removeprefix(f"{references}/"))
        return
    if maps is not None:
        yield from maps.findings
        yield from maps.boards(ranked=ranked)
        if sound and not maps.findings:
            yield from maps.foreign(manifest)
    else:
        yield from _labelled(spec, task, manifest, rows, root, ranked)


def _labelled(
    spec: Challenge, task: str, manifest: Manifest, rows: References, root: Path, ranked: bool
) -> Iterator[Finding]:
    boards = spec.boards_of(task)
    yield from age_findings(rows, boards)
    truths = read_truths(spec.tasks[task], rows, boards)
    yield from truths.findings
    if isinstance(spec.tasks[task].kind.labels, Files):
        for case in manifest.cases:
            yield from against_inputs(spec.tasks[task], case, input_files(case, root), rows, truths.outputs)
    yield from group_findings(rows, boards, ranked=ranked)
    if not truths.outputs or any(finding.severity is Severity.ERROR for finding in truths.findings):
        return
    small = list(split_findings(rows, boards, ranked=ranked))
    yield from small
    for board in () if small else boards:
        report = scored(spec, board, manifest, rows.directory, truths.outputs.get)
        if isinstance(report, Finding):
            yield report
            continue
        yield from perfect_findings(spec, board, report, ranked=ranked)
        yield from size_findings(report, board)
        yield from scored_alone(spec, board, manifest, rows.directory, lambda case: None)
