"""What is sent and answered of agreements: documents of a challenge that people accept, and who did."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, StrictBool, StringConstraints

from contract.answers import Answer, Id, OrNewer
from contract.texts import Line, Prose

MOST_OF_AN_AGREEMENT = 200_000
"""Characters of a document."""


class Before(StrEnum):
    """What a person may not do before they have accepted a document."""

    TEAM = "team"  # found or join a team, and so whatever comes after it
    SUBMISSION = "submission"  # upload or submit


class AgreementIn(BaseModel):
    """A version of a document, as plain text or Markdown, which is shown as it is written.

    before: what it has to be accepted for; null: it is only shown. again: whoever accepted an earlier version is asked
    again. The text of the present version once more changes its title, `before` and `again`, and is no new version.
    """

    document: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)] = "rules"
    title: Annotated[str, Line(200, least=1, strip=True)]
    text: Annotated[str, Prose(MOST_OF_AN_AGREEMENT, least=1)]
    before: Before | None = None
    again: StrictBool = False


class AgreementVersion(Answer):
    """A version of a document. digest: the sha256 of its text in UTF-8, as `…/agreements/{digest}` answers it.

    again: who accepted an earlier version has to accept this one, too.
    """

    document: str
    number: int
    digest: str
    title: str
    before: Annotated[Before | str, OrNewer()] | None
    again: bool
    created_at: datetime


class AgreementOut(AgreementVersion):
    """The present version of a document.

    accepted_at: when the asker accepted it, or an earlier version that still holds; null if they have not, or nobody in
    particular asks.
    """

    accepted_at: datetime | None


class AgreementRow(AgreementVersion):
    """A version as organizers see it. `published_by` as events name it.

    accepted: people who accepted this very version. lacking: people in teams who would have to accept it before they
    go on; 0 for a version that is not the present one, or only shown.
    """

    present: bool
    published_by: str
    accepted: int
    lacking: int


class AgreementPlan(Answer):
    """What publishing would do. changes: anything at all; number: the version's; lacking, teams: whom it asks."""

    document: str
    number: int
    digest: str
    changes: bool
    lacking: int
    teams: int
    sentence: str


class AcceptanceOut(Answer):
    """Who accepted a version and when, or with null for `accepted_at` who in a team has yet to.

    user: the account's id, which is all that is said of one that is closed; null of one that is no more. team: theirs
    in this challenge today.
    """

    id: Id
    user: Id | None
    name: str | None
    email: str | None
    team: str | None
    accepted_at: datetime | None
