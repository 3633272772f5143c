"""The versions of the cases that are in force: what submissions run on, and what another one changes against them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import ChallengeId
from server.challenges.models import Challenge, SpecVersion
from server.datasets.difference import Difference, difference
from server.datasets.fit import fits
from server.datasets.models import IN_FORCE, Dataset
from server.settings import Settings


def lock(session: Session, challenge_id: ChallengeId) -> Challenge:
    """One change of a challenge's versions at a time, until the commit; submissions are not held up.

    The challenge is what it is now: while the lock was waited for somebody may have changed it.
    """
    query = select(Challenge).where(Challenge.id == challenge_id)
    now = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalars(now).one()


def in_force(
    session: Session, challenge: Challenge, phase: str, task: str, *, keep: bool = False
) -> Dataset | None:
    """The version that submissions run on, if there is one; with `keep` it is not dropped before the commit."""
    query = select(Dataset).where(
        IN_FORCE, Dataset.challenge_id == challenge.id, Dataset.phase == phase, Dataset.task == task
    )
    return session.scalar(query.with_for_update(read=True, key_share=True) if keep else query)


def tasks_in_force(
    session: Session, challenges: Sequence[Challenge]
) -> dict[ChallengeId, dict[str, set[str]]]:
    """By challenge and phase the tasks with cases that fit the challenge file, so that they can be submitted to."""
    by_id = {challenge.id: challenge for challenge in challenges}
    datasets = session.scalars(select(Dataset).where(IN_FORCE, Dataset.challenge_id.in_(by_id))).all()
    older = {dataset.fits_version_id for dataset in datasets} - {
        challenge.current_version_id for challenge in challenges
    }
    # Held while it is asked whether each fits, so that none is read twice.
    versions = session.scalars(select(SpecVersion).where(SpecVersion.id.in_(older))).all() if older else ()
    found: dict[ChallengeId, dict[str, set[str]]] = {challenge_id: {} for challenge_id in by_id}
    for dataset in datasets:
        if fits(session, dataset, by_id[dataset.challenge_id]):
            found[dataset.challenge_id].setdefault(dataset.phase, set()).add(dataset.task)
    del versions
    return found


def changes_of(session: Session, dataset: Dataset, settings: Settings) -> Difference | None:
    """What it changes against the version in force.

    None where there is none, where it is this one, or where the references of both cannot be read here.
    """
    challenge = session.get_one(Challenge, dataset.challenge_id)
    old = in_force(session, challenge, dataset.phase, dataset.task)
    if old is None or old is dataset:
        return None
    before, after = settings.references / old.folder, settings.references / dataset.folder
    if not (before.is_dir() and after.is_dir()):
        return None
    return difference(old.cases, dataset.cases, old_references=before, new_references=after)
