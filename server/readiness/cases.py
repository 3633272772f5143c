"""The cases of each phase and task: whether they are there, fit, and can be scored as the challenge file says."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from contract.phases import CheckState
from contract.readiness import ReadinessCheck
from evaluator.dataset_check import Finding, Severity, check_dataset, interval_findings
from evaluator.manifest import Manifest
from server.datasets.findings import Findings
from server.datasets.fit import fits
from server.datasets.models import Dataset
from server.datasets.overlap import find_overlaps
from server.datasets.service import inputs_manifest
from server.phases.commitments import check_labels
from server.readiness.world import World, doubtful, fine, wrong
from server.reference_submissions.models import ReferenceSubmission
from server.reference_submissions.service import as_expected, is_in_force
from server.words import counted

_SHOWN = 5
_SOON = 14  # days before a phase opens, from which on its cases have to be there
_CLASSES = frozenset({"few_classes", "never_defined", "not_perfect"})
_DO_IMPORT = "Import them: proctor-admin import-dataset FOLDER --challenge {} --phase {} --task {}."


def datasets(world: World) -> Iterator[ReadinessCheck]:
    """Whether every phase has cases of every task that fit the file, and what is to be said of these."""
    for phase in world.phases:
        for task in world.spec.tasks:
            found = world.cases.get((phase, task))
            if found is None:
                yield _absent(world, phase, task)
            elif not fits(world.session, found, world.challenge):
                todo = "Import cases that fit, or apply the file that they were imported under."
                what = "the cases in force do not fit the challenge file as it is now"
                yield wrong("dataset", what, todo, phase=phase, task=task)
            else:
                shown = f"{len(found.cases)} cases in force, version {found.digest[7:19]}"
                yield fine("dataset", shown, phase=phase, task=task)
                yield from _scans(world, found)
                yield from _labels(world, found)


def present(world: World) -> Iterator[ReadinessCheck]:
    """Which phases lack cases of a task; nothing where they are there, whatever they hold."""
    for phase in world.phases:
        for task in world.spec.tasks:
            if (phase, task) not in world.cases:
                yield _absent(world, phase, task)


def _absent(world: World, phase: str, task: str) -> ReadinessCheck:
    say = wrong if _is_pressing(world, phase) else doubtful
    todo = _DO_IMPORT.format(world.challenge.slug, phase, task)
    return say("dataset", "no cases are in force", todo, phase=phase, task=task)


def _is_pressing(world: World, phase: str) -> bool:
    opens = world.phases[phase].opens
    return world.asked or (opens is not None and (opens - world.at).days < _SOON)


def _scans(world: World, dataset: Dataset) -> Iterator[ReadinessCheck]:
    """Whether a scan of a hidden phase is shown in another one."""
    findings = Findings()
    find_overlaps(world.session, world.challenge, dataset.phase, cases=dataset.cases, findings=findings)
    place = {"phase": dataset.phase, "task": dataset.task}
    todo = "Take them out of one of the phases, and import that one again."
    if findings.errors:
        yield wrong("scans", "; ".join(findings.errors), todo, **place)
    elif findings.warnings:
        yield doubtful("scans", "; ".join(findings.warnings), todo, **place)
    else:
        yield fine("scans", "no scan is in another phase that must not have it", **place)


def _labels(world: World, dataset: Dataset) -> Iterator[ReadinessCheck]:
    """What the evaluator finds in inputs, labels, groups and classes, and what their number allows to say."""
    place = {"phase": dataset.phase, "task": dataset.task}
    references = world.settings.references / dataset.folder
    if not (world.with_labels and references.is_dir()):
        why = "they lie elsewhere" if world.with_labels else "it was not asked for"
        todo = (
            "Run this check where they are; to try scoring reads them where score workers do."
            if world.with_labels
            else "Check once more and read the labels, which may take minutes."
        )
        yield doubtful("labels", f"labels were not read: {why}", todo, **place)
        return
    manifest = Manifest.model_validate(inputs_manifest(dataset))
    ranked = world.phases[dataset.phase].board != "none"
    found = check_dataset(
        world.spec,
        dataset.task,
        manifest,
        root=world.settings.inputs,
        references=references,
        ranked=ranked,
    )
    groups = [finding for finding in found if finding.code.startswith("group_")]
    classes = [finding for finding in found if finding.code in _CLASSES]
    others = [finding for finding in found if finding not in (*groups, *classes)]
    yield _told("labels", others, "inputs and labels can be read and scored", **place)
    yield _told("classes", classes, "every metric is defined, and the labels get its best value", **place)
    if any(board.groups for board in world.spec.boards_of(dataset.task).values()):
        yield _told("groups", groups, "every group that is compared has enough subjects", **place)
    if ranked:
        sizes = interval_findings(world.spec, dataset.task, manifest, references)
        yield _told("intervals", sizes, "there are enough subjects for intervals that hold", **place)


def _told(code: str, findings: Sequence[Finding], well: str, *, phase: str, task: str) -> ReadinessCheck:
    if not findings:
        return fine(code, well, phase=phase, task=task)
    worst = [finding for finding in findings if finding.severity is Severity.ERROR] or findings
    said = [f"{finding.case}: {finding.message}" if finding.case else finding.message for finding in worst]
    what = "; ".join([*said[:_SHOWN], *([f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else [])])
    say = wrong if worst[0].severity is Severity.ERROR else doubtful
    todo = "Mend it in the folder or in the challenge file; proctor-admin check-dataset lists all of it."
    return say(code, what, todo, phase=phase, task=task)


def committed(world: World) -> Iterator[ReadinessCheck]:
    """Whether labels that were committed to are still those; nothing where nothing was promised."""
    for phase in world.ranked if world.with_labels else ():
        for found in check_labels(world.session, world.challenge, phase, world.settings):
            todo = "Bring the version that was committed to into force, or say in an amendment why it is another."
            if found.state is CheckState.OK:
                yield fine("commitment", found.found, phase=phase)
            else:
                say = wrong if found.state is CheckState.ERROR else doubtful
                yield say("commitment", found.found, todo, phase=phase)


def tried(world: World) -> Iterator[ReadinessCheck]:
    """Whether outputs of which it is known what scoring has to make of them were scored so."""
    known = {(row.phase, row.task): row for row in _references(world)}
    for phase in world.phases:
        for task in world.spec.tasks:
            row = known.get((phase, task))
            if phase not in world.ranked and (row is None or not is_in_force(world.challenge, row)):
                continue  # nobody has to try it where nothing is ranked
            place = {"phase": phase, "task": task}
            again = f"proctor-admin try-scoring {world.challenge.slug} --phase {phase} --task {task}"
            if world.cases.get((phase, task)) is None:
                continue
            if row is None or not is_in_force(world.challenge, row) or row.finished_at is None:
                yield doubtful("scoring", "not tried on these cases and this file", f"Run {again}.", **place)
            elif row.trouble is not None:
                yield wrong(
                    "scoring", f"could not be tried: {row.trouble}", f"Mend it and run {again}.", **place
                )
            elif not as_expected(row):
                off = [row for row in row.judgements if not row["as_expected"]]
                todo = f"The readiness page shows them, and so does {again} --last."
                said = f"{counted(len(off), 'result is', 'results are')} not as expected"
                yield wrong("scoring", said, todo, **place)
            else:
                yield fine("scoring", "perfect, poor and forbidden outputs came out as expected", **place)


def _references(world: World) -> Sequence[ReferenceSubmission]:
    query = select(ReferenceSubmission).where(ReferenceSubmission.challenge_id == world.challenge.id)
    return world.session.scalars(query).all()
