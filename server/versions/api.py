"""Endpoints of versions of the cases, for organizers; `server.consignments` takes what new ones are made of."""

from fastapi import APIRouter

from contract.datasets import ActivateIn, DatasetOut, DifferenceOut, DroppedOut, EffectOut
from contract.events import Subject
from contract.ids import DatasetId
from contract.texts import Name
from server.accounts.deps import UserDep
from server.audit.looks import Look, looked
from server.challenges.service import get_challenge
from server.datasets.current import changes_of
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of
from server.versions import access, effects, making, service
from server.versions.views import datasets_out

router = APIRouter(tags=["datasets"])


@router.get("/admin/challenges/{slug}/datasets")
def list_datasets(
    session: SessionDep,
    user: UserDep,
    settings: SettingsDep,
    slug: Name,
    phase: Name | None = None,
    task: Name | None = None,
) -> list[DatasetOut]:
    """Every version of the cases, the newest of a phase and task first."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    found = service.versions(session, challenge, phase=phase, task=task, settings=settings)
    return datasets_out(session, found)


@router.get("/organize/{slug}/datasets/{dataset_id}/difference")
def get_difference(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    dataset_id: DatasetId,
    against: DatasetId | None = None,
) -> DifferenceOut:
    """What a version of the cases changes against another one of its phase and task, else the one in force."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    dataset = making.version_of(session, challenge, dataset_id)
    other = None if against is None else making.version_of(session, challenge, against)
    looked(session, Subject.DATASET, dataset.id, Look.NAMES, actor=user.actor)
    return DifferenceOut.of(making.compared(session, challenge, dataset, other, settings))


@router.get("/admin/datasets/{dataset_id}/effect")
def get_effect(session: SessionDep, user: UserDep, settings: SettingsDep, dataset_id: DatasetId) -> EffectOut:
    """What would happen if this version came into force."""
    dataset = access.observed_version(session, user, dataset_id)
    effect = effects.effect_of(session, dataset)
    changes = changes_of(session, dataset, settings)
    looked(session, Subject.DATASET, dataset.id, Look.NAMES, actor=user.actor)
    difference = None if changes is None else DifferenceOut.of(changes)
    return EffectOut.of(effect, sentence=effect.sentence(), difference=difference)


@router.post("/admin/datasets/{dataset_id}/activate", status_code=204)
def activate(
    session: SessionDep, user: UserDep, settings: SettingsDep, dataset_id: DatasetId, wanted: ActivateIn
) -> None:
    """Brings this version into force. Where evaluations are concerned it answers 409 and says which, unless `yes`."""
    organizer, dataset = access.organized_version(session, user, dataset_id)
    service.activate(
        session, dataset, settings=settings, actor=organizer.actor, confirmed=wanted.yes, why=wanted.why
    )


@router.delete("/admin/datasets/{dataset_id}")
def drop(session: SessionDep, user: UserDep, settings: SettingsDep, dataset_id: DatasetId) -> DroppedOut:
    """Removes the files of a version that is not in force and that no evaluation ran on."""
    organizer, dataset = access.organized_version(session, user, dataset_id)
    return DroppedOut(freed=service.drop(session, dataset, settings=settings, actor=organizer.actor))
