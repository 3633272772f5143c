"""The same scan in two phases of a challenge: what is public is known, whatever else it is used for."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.challenges.models import Challenge
from server.datasets.findings import Findings, some
from server.datasets.models import Case, Dataset, DatasetState

_PRESENT = (DatasetState.STAGED.value, DatasetState.ACTIVE.value)


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
    scans = {one["voxels"]: case.name for case in cases for one in case.files.values() if "voxels" in one}
    files = {one["sha256"]: case.name for case in cases for one in case.files.values() if "voxels" in one}
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
        for one in stored.values():
            own = scans.get(one.get("voxels", "")) or files.get(one.get("sha256", ""))
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
