"""The same scan in two phases of a challenge: what is public is known, whatever else it is used for."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge
from server.datasets.findings import Findings, some
from server.datasets.models import Case, Dataset, DatasetState

_PRESENT = (DatasetState.STAGED, DatasetState.ACTIVE)


def find_overlaps(
    session: Session,
    challenge: Challenge,
    phase: str,
    *,
    cases: Sequence[Case],
    findings: Findings,
) -> None:
    """Names the scans that are in another phase too: an error where one of the phases is public, else a warning.

    What only an earlier version of the other phase held is a warning: it may have been taken out for that reason.
    """
    phases = challenge.spec.phases
    if phase not in phases:
        return
    scans = {file["voxels"]: case.name for case in cases for file in case.files.values() if "voxels" in file}
    files = {file["sha256"]: case.name for case in cases for file in case.files.values() if "voxels" in file}
    found: dict[tuple[str, str, bool], dict[str, None]] = defaultdict(dict)
    rows = session.execute(
        select(Dataset.phase, Dataset.task, Dataset.state, Case.name, Case.files)
        .join(Case, Case.dataset_id == Dataset.id)
        .where(Dataset.challenge_id == challenge.id, Dataset.phase != phase)
        .order_by(Dataset.phase, Dataset.task, Dataset.created_at, Case.ordinal)
    )
    for other, task, state, name, stored in rows:
        if other not in phases or not (phases[phase].hidden or phases[other].hidden):
            continue
        for holder in stored.values():
            own = scans.get(holder.get("voxels", "")) or files.get(holder.get("sha256", ""))
            if own is not None:
                found[other, task, state in _PRESENT][f"{own} ({name} there)"] = None
    for (other, task, present), names in found.items():
        _name(challenge, phase, other, task, present, list(names), findings)


def _name(
    challenge: Challenge,
    phase: str,
    other: str,
    task: str,
    present: bool,
    names: list[str],
    findings: Findings,
) -> None:
    hidden = challenge.spec.phases[phase].hidden and challenge.spec.phases[other].hidden
    kind = "hidden" if challenge.spec.phases[other].hidden else "public"
    place = f"the {kind} phase {other}, {task}"
    if hidden and present:
        findings.warn(phase, f"{len(names)} scans are in {place}, too: {some(names)}")
    elif not hidden and present:
        why = "what is public is no hidden case; take them out of one of the two"
        findings.error(phase, f"{len(names)} scans are in {place}, too: {some(names)}; {why}")
    elif not hidden:
        findings.warn(phase, f"{len(names)} scans were in an earlier version of {place}: {some(names)}")


def newly_public(session: Session, challenge: Challenge, spec: Spec) -> Iterator[str]:
    """A sentence for each hidden phase whose scans another phase shows under `spec`, and not under the present file."""
    pairs = [
        (hidden, public)
        for hidden, public in permutations(spec.phases, 2)
        if _shows(spec, hidden, public) and not _shows(challenge.spec, hidden, public)
    ]
    scans = _scans(session, challenge) if pairs else {}
    for hidden, public in pairs:
        both = scans.get(hidden, set()) & scans.get(public, set())
        if both:
            yield (
                f"{len(both)} scans are in the public phase {public} and in the hidden phase {hidden}, too; what is "
                "public is no hidden case."
            )


def _shows(spec: Spec, hidden: str, public: str) -> bool:
    phases = spec.phases
    return hidden in phases and public in phases and phases[hidden].hidden and not phases[public].hidden


def _scans(session: Session, challenge: Challenge) -> dict[str, set[str]]:
    """The digests of the images of each phase, of versions that are in force or may be next."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = session.execute(
        select(Dataset.phase, Case.files)
        .join(Case, Case.dataset_id == Dataset.id)
        .where(Dataset.challenge_id == challenge.id, Dataset.state.in_(_PRESENT))
    )
    for phase, files in rows:
        found[phase].update(file["voxels"] for file in files.values() if "voxels" in file)
    return found
