"""Promises about labels: a salted digest that everybody sees at once, and that a release makes checkable."""

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.phases import CheckState, ReleaseCheck
from contract.problems import ErrorCode
from server import events
from server.accounts.principals import Organizer
from server.amendments.models import LabelCommitment
from server.amendments.service import amend
from server.challenges.models import Challenge
from server.challenges.service import get_phase
from server.clock import now
from server.datasets.current import lock
from server.datasets.labels import labels_digest
from server.datasets.models import IN_FORCE, Dataset, DatasetState
from server.errors import Conflict, NotFound
from server.settings import Settings

_SALT_BYTES = 32


def commit_labels(
    session: Session, organizer: Organizer, challenge: Challenge, phase: str, *, settings: Settings
) -> list[LabelCommitment]:
    """A promise for the cases in force of each task that has none yet; in a phase that has opened it is an amendment.

    Raises:
        NotFound: there is no such phase, or it has no cases.
        Conflict: there is a promise for all of them, or this server cannot read the labels.
    """
    found = get_phase(challenge.spec, phase)
    lock(session, challenge.id)
    datasets = _in_force(session, challenge, phase)
    if not datasets:
        raise NotFound(ErrorCode.NO_DATASET, f"Phase {phase!r} has no cases yet: import them first.")
    known = {row.dataset_id for row in commitments(session, challenge, phase)}
    wanted = [dataset for dataset in datasets if dataset.id not in known]
    if not wanted:
        raise Conflict(ErrorCode.LABELS_COMMITTED, f"The labels of phase {phase!r} are committed to already.")
    made = [
        LabelCommitment(
            dataset_id=dataset.id,
            salt=secrets.token_hex(_SALT_BYTES),
            labels=_digest(dataset, settings),
            actor=organizer.actor,
        )
        for dataset in wanted
    ]
    session.add_all(made)
    session.flush()
    opened = found.has_opened(now(session))
    for row, dataset in zip(made, wanted, strict=True):
        what = f"labels committed as {row.digest}"
        events.record(session, "dataset", dataset.id, actor=organizer.actor, what=what)
        if opened:
            said = f"{found.title}, {dataset.task}: its labels are committed to as {row.digest}"
            amend(session, challenge, what=said, why=None, by=organizer.actor, phase=phase, task=dataset.task)
    return made


def commitments(session: Session, challenge: Challenge, phase: str) -> list[LabelCommitment]:
    """Every promise about labels of a phase, by task and age."""
    query = (
        select(LabelCommitment)
        .join(Dataset, Dataset.id == LabelCommitment.dataset_id)
        .where(Dataset.challenge_id == challenge.id, Dataset.phase == phase)
    )
    return list(session.scalars(query.order_by(Dataset.task, LabelCommitment.created_at)))


def committed_phases(session: Session, challenge: Challenge) -> set[str]:
    """The phases with a promise about labels."""
    query = select(Dataset.phase).join(LabelCommitment, LabelCommitment.dataset_id == Dataset.id)
    return set(session.scalars(query.where(Dataset.challenge_id == challenge.id)))


def check_labels(
    session: Session, challenge: Challenge, phase: str, settings: Settings
) -> list[ReleaseCheck]:
    """Whether the labels that count are those that were promised; nothing where nothing was."""
    promised = commitments(session, challenge, phase)
    checks = []
    for dataset in _in_force(session, challenge, phase):
        rows = [row for row in promised if row.dataset.task == dataset.task]
        if rows:
            state, found = _checked(dataset, rows, settings)
            checks.append(ReleaseCheck(check="labels", state=state, found=f"{dataset.task}: {found}"))
    return checks


def _checked(dataset: Dataset, promised: list[LabelCommitment], settings: Settings) -> tuple[CheckState, str]:
    own = next((row for row in promised if row.dataset_id == dataset.id), None)
    if own is None:
        first = promised[0]
        return (
            CheckState.WARNING,
            f"the cases in force are version {dataset.digest[7:19]}; what was committed to, {first.digest[:19]}…, are "
            f"the labels of version {first.dataset.digest[7:19]}. Amendments say when and why it was replaced",
        )
    try:
        labels = labels_digest(settings.references / dataset.folder)
    except OSError:
        return CheckState.WARNING, "this server cannot read the labels, so they are not compared here"
    if labels != own.labels:
        return (
            CheckState.ERROR,
            f"the label files of version {dataset.digest[7:19]} are not those that were committed to as "
            f"{own.digest[:19]}…: they were changed on the disk",
        )
    return CheckState.OK, f"the labels are those committed to as {own.digest[:19]}…"


def is_in_force(row: LabelCommitment) -> bool:
    """Whether the promise is about the labels that count now."""
    return row.dataset.state is DatasetState.ACTIVE


def _in_force(session: Session, challenge: Challenge, phase: str) -> list[Dataset]:
    query = select(Dataset).where(IN_FORCE, Dataset.challenge_id == challenge.id, Dataset.phase == phase)
    return list(session.scalars(query.order_by(Dataset.task)))


def _digest(dataset: Dataset, settings: Settings) -> str:
    try:
        return labels_digest(settings.references / dataset.folder)
    except OSError:
        detail = (
            f"This server cannot read the labels of {dataset.task}, which only score workers may: run 'proctor-admin "
            "commit-labels' where they are."
        )
        raise Conflict(ErrorCode.FILES_ELSEWHERE, detail) from None
