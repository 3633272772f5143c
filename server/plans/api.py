"""Challenge files over HTTP, for admins: what one would change, and applying it."""

from fastapi import APIRouter

from contract.challenges import ChallengeApplied, ChallengeApplyIn, ChallengeFileIn, Plan
from server.accounts.deps import AdminDep
from server.deps import SessionDep, SettingsDep
from server.plans import service

router = APIRouter(tags=["challenges", "admin"])


@router.post("/admin/challenges/plan")
def plan_challenge(
    session: SessionDep, admin: AdminDep, settings: SettingsDep, body: ChallengeFileIn
) -> Plan:
    """What applying this file would change, and what would be asked; nothing is changed."""
    return service.plan(session, service.read(body.file, body.overlay, settings=settings), settings=settings)


@router.post("/admin/challenges")
def apply_challenge(
    session: SessionDep, admin: AdminDep, settings: SettingsDep, body: ChallengeApplyIn
) -> ChallengeApplied:
    """Make this file the present version of its challenge; 409 with its `questions` where these are not confirmed."""
    spec = service.read(body.file, body.overlay, settings=settings)
    planned = service.plan(session, spec, settings=settings)
    changed = service.apply_planned(
        session, spec, planned, actor=admin.actor, confirmed=body.confirmed, why=body.why
    )
    return ChallengeApplied(changed=changed, plan=planned)
