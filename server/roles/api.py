"""Who organizes a challenge, and what one may do oneself, over HTTP."""

from fastapi import APIRouter

from contract.ids import UserId
from contract.organizers import Me, OrganizerOut, RoleIn, RoleOut
from contract.texts import Name
from server.accounts.deps import UserDep
from server.accounts.service import account_of
from server.challenges.service import get_challenge
from server.deps import SessionDep
from server.organizers.access import observer_of
from server.roles import service

router = APIRouter()


@router.get("/me", tags=["accounts"])
def me(session: SessionDep, user: UserDep) -> Me:
    """Who is asking, what the token allows, and the challenges that they organize or may look into."""
    roles = [RoleOut(challenge=slug, role=role) for slug, role in service.roles_of(session, user)]
    return Me.of(account_of(session, user), scopes=sorted(user.scopes), roles=roles)


@router.get("/organize/{slug}/organizers", tags=["organizers"])
def list_organizers(session: SessionDep, user: UserDep, slug: Name) -> list[OrganizerOut]:
    """Everybody with a role in the challenge, organizers first."""
    observer = observer_of(session, user, get_challenge(session, slug))
    return [_out(found) for found in service.named(session, observer)]


@router.put("/organize/{slug}/organizers", tags=["organizers"])
def name_organizer(session: SessionDep, user: UserDep, slug: Name, body: RoleIn) -> OrganizerOut:
    """Gives a person a role. It answers 409 and says what they may see and do then, unless `yes`."""
    challenge = get_challenge(session, slug)
    return _out(service.name(session, user, challenge, email=body.email, role=body.role, confirmed=body.yes))


@router.delete("/organize/{slug}/organizers/{user_id}", status_code=204, tags=["organizers"])
def remove_organizer(session: SessionDep, user: UserDep, slug: Name, user_id: UserId) -> None:
    """Takes a person's role away: admins anybody's, organizers observers', and everybody their own."""
    service.remove(session, user, get_challenge(session, slug), user_id)


def _out(found: service.Named) -> OrganizerOut:
    return OrganizerOut.of(found.role, found.account, id=found.account.id, team=found.team)
