"""Challenge files over HTTP, for organizers: what one would change, and applying it. Admins make new challenges."""

from fastapi import APIRouter
from sqlalchemy.orm import Session

from contract.challenges import ChallengeApplied, ChallengeApplyIn, ChallengeFileIn, Plan
from evaluator.spec import Challenge as Spec
from server.accounts.deps import UserDep
from server.accounts.principals import User
from server.deps import SessionDep, SettingsDep
from server.plans import access, service
from server.settings import Settings

router = APIRouter(tags=["challenges", "admin"])


@router.post("/admin/challenges/plan")
def plan_challenge(session: SessionDep, user: UserDep, settings: SettingsDep, body: ChallengeFileIn) -> Plan:
    """What applying this file would change, and what would be asked; nothing is changed."""
    return service.plan(session, _read(session, user, body, settings), settings=settings)


@router.post("/admin/challenges")
def apply_challenge(
    session: SessionDep, user: UserDep, settings: SettingsDep, body: ChallengeApplyIn
) -> ChallengeApplied:
    """Make this file the present version of its challenge; 409 with its `questions` where these are not confirmed."""
    spec = _read(session, user, body, settings)
    planned = service.plan(session, spec, settings=settings)
    changed = service.apply_planned(
        session, spec, planned, actor=user.actor, confirmed=body.confirmed, why=body.why
    )
    return ChallengeApplied(changed=changed, plan=planned)


def _read(session: Session, user: User, body: ChallengeFileIn, settings: Settings) -> Spec:
    code = access.code_of(session, user)
    spec = service.read(body.file, body.overlay, settings=settings, code=code)
    access.require_author(session, user, spec.challenge)
    return spec
