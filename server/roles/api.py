"""Who organizes a challenge, and what one may do oneself, over HTTP."""

from collections.abc import Mapping

from fastapi import APIRouter

from contract.ids import UserId
from contract.organizers import Me, OrganizerOut, RoleIn, RoleOut
from contract.texts import Name
from server.accounts.called import called
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
    found = service.named(session, observer)
    names = called(session, (person.role.named_by for person in found))
    return [_out(person, names) for person in found]


@router.put("/organize/{slug}/organizers", tags=["organizers"])
def name_organizer(session: SessionDep, user: UserDep, slug: Name, body: RoleIn) -> OrganizerOut:
    """Gives a person a role. It answers 409 and says what they may see and do then, unless `yes`."""
    challenge = get_challenge(session, slug)
    named = service.name(session, user, challenge, email=body.email, role=body.role, confirmed=body.yes)
    return _out(named, called(session, [named.role.named_by]))


@router.delete("/organize/{slug}/organizers/{user_id}", status_code=204, tags=["organizers"])
def remove_organizer(session: SessionDep, user: UserDep, slug: Name, user_id: UserId) -> None:
    """Takes a person's role away: admins anybody's, organizers observers', and everybody their own."""
    service.remove(session, user, get_challenge(session, slug), user_id)


def _out(found: service.Named, names: Mapping[str | None, str]) -> OrganizerOut:
    by = names.get(found.role.named_by)
    return OrganizerOut.of(found.role, found.account, id=found.account.id, team=found.team, named_by_name=by)
