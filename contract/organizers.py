"""Who organizes a challenge, as it is sent and answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, StrictBool

from contract.accounts import AccountOut, Email
from contract.answers import Answer, Id, Older, OrNewer


class Role(StrEnum):
    """What a person may do in one challenge, beside admins, who may do everything in every one."""

    ORGANIZER = "organizer"  # sees all of it, and decides
    OBSERVER = "observer"  # sees all of it, and changes nothing


class RoleOut(Answer):
    """A role of one's own."""

    challenge: str
    role: Annotated[Role | str, OrNewer()]


class Me(AccountOut):
    """Who is asking, what the token allows, and which challenges the person organizes or may look into."""

    scopes: list[str]
    roles: Annotated[list[RoleOut], Older([])]


class RoleIn(BaseModel):
    """A role for the person with this address. `yes`: what that lets them see and do has been read."""

    email: Email
    role: Role
    yes: StrictBool = False


class OrganizerOut(Answer):
    """A person with a role in a challenge; `id` is the account's.

    `named_by`: as events name who acts; `named_by_name`: what that person is called, if it is one. `team`: theirs in
    this challenge, null if they do not take part in it.
    """

    id: Id
    email: str
    name: str
    role: Annotated[Role | str, OrNewer()]
    team: str | None
    named_by: str
    named_by_name: Annotated[str | None, Older(None)]
    created_at: datetime
