"""What is sent and answered of teams and invitations."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StrictBool, StringConstraints

from contract.answers import Answer, Id, Older
from contract.bounds import Strict
from contract.texts import Line, printable

LASTS_DAYS, MOST_DAYS = 7, 30
"""How long an invitation lasts unless something else is said, and at most."""


class TeamIn(BaseModel):
    """A new team."""

    name: Annotated[str, Field(max_length=200)]


class MemberOut(Answer):
    """A person in a team."""

    user_id: Id
    name: str
    is_captain: bool


class TeamOut(Answer):
    """A team as its members see it. disqualified: why it takes part no more, null if it does.

    hidden: it is on no board. waits: it can neither upload nor submit until the organizers approve it.
    """

    id: Id
    name: str
    eligible: bool
    disclaimer: str | None
    disqualified: Annotated[str | None, Older(None)]
    is_baseline: bool
    hidden: Annotated[bool, Older(False)]
    waits: Annotated[bool, Older(False)]
    created_at: datetime


class MyTeamOut(TeamOut):
    """One's own team with its members."""

    members: list[MemberOut]


class InvitationIn(BaseModel):
    """How long a new invitation lasts."""

    expires_in_days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = LASTS_DAYS


class InvitationOut(Answer):
    """An open invitation without its code. `made_by`: the member or admin, null of an older one."""

    id: Id
    made_by: Annotated[Id | None, Older(None)]
    created_at: datetime
    expires_at: datetime


class NewInvitationOut(InvitationOut):
    """An invitation with its code, shown this once."""

    code: str


class TeamChangesIn(Strict):
    """What an organizer may change about a team; fields left out stay.

    disqualified: the reason, which the team is told; null lets it take part again.
    """

    name: Annotated[str, Line(200)] | None = None
    eligible: StrictBool | None = None
    disclaimer: Annotated[str, Field(max_length=500), AfterValidator(printable)] | None = None
    disqualified: (
        Annotated[
            str,
            StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
            AfterValidator(printable),
        ]
        | None
    ) = None
    baseline: StrictBool | None = None

    def changes(self) -> dict[str, Any]:
        """The columns to change; null clears the disclaimer or the disqualification, and leaves the rest."""
        given = self.model_dump(exclude_unset=True)
        if "baseline" in given:
            given["is_baseline"] = given.pop("baseline")
        cleared = ("disclaimer", "disqualified")
        return {field: value for field, value in given.items() if value is not None or field in cleared}
