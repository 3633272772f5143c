"""Deleting for good over HTTP: of a challenge by its organizers, and by admins what nothing refers to."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.retention import CertificateOut, DeletionIn, DeletionPlan, DeletionRules, Sweeping
from contract.texts import Name
from server.accounts.deps import AdminDep, AskerDep, UserDep
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.organizers.access import observer_of, organizer_of
from server.retention import service
from server.storage.sweep import sweep

router = APIRouter(tags=["organizers"])
_PATH = "/organize/{slug}/gc"


@router.get(_PATH)
def plan_deletion(
    session: SessionDep,
    user: UserDep,
    settings: SettingsDep,
    slug: Name,
    rules: Annotated[DeletionRules, Query()],
) -> DeletionPlan:
    """What of a challenge would be deleted, what that frees, and what cannot be done afterwards."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    return service.plan(session, challenge, rules, settings=settings)


@router.post(_PATH)
def delete_for_good(
    sessions: SessionsDep, user: AskerDep, settings: SettingsDep, slug: Name, body: DeletionIn
) -> CertificateOut:
    """Deletes what the plan that was seen says, and nothing else; the answer is the signed certificate."""
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        organizer = organizer_of(session, user, challenge)
        broken_off = service.unfinished(session)
        rules = DeletionRules(kinds=body.kinds, days=body.days)
        begun = service.begin(
            session, organizer, challenge, rules, seen=body.seen, why=body.why, settings=settings
        )
    for certificate in broken_off:
        service.finish(sessions, certificate, settings=settings)
    return service.finish(sessions, begun, settings=settings)


@router.get(_PATH + "/certificates")
def list_certificates(
    session: SessionDep, user: UserDep, slug: Name, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> list[CertificateOut]:
    """What was deleted of a challenge, the latest first."""
    challenge = get_challenge(session, slug)
    observer_of(session, user, challenge)
    return service.certificates(session, challenge, limit=limit)


@router.get("/admin/gc")
def plan_sweep(sessions: SessionsDep, admin: AdminDep, settings: SettingsDep) -> Sweeping:
    """What nothing refers to, of the whole installation; score workers remove it every hour."""
    return Sweeping.of(sweep(sessions, settings, dry=True))


@router.post("/admin/gc")
def sweep_now(sessions: SessionsDep, admin: AdminDep, settings: SettingsDep) -> Sweeping:
    """Removes what nothing refers to."""
    return Sweeping.of(sweep(sessions, settings))
