"""What suggests to organizers that several accounts are one person's."""

from enum import StrEnum
from typing import Annotated

from contract.answers import Answer, Id, OrNewer


class Likeness(StrEnum):
    """What accounts of different teams have in common."""

    MAILBOX = "mailbox"  # addresses that go to one mailbox, but for a tag or dots
    IDENTITY = "identity"  # a provider knows one by the address of the other
    IMAGE = "image"  # their teams have the very same image
    NETWORK = "network"  # their tokens were used last from one network


class Weight(StrEnum):
    """How much that says."""

    STRONG = "strong"
    MODERATE = "moderate"
    WEAK = "weak"


class LikeAccount(Answer):
    """An account in a team."""

    id: Id
    email: str
    name: str
    verified: bool
    team_id: Id
    team: str


class Resemblance(Answer):
    """Accounts of at least two teams that have something in common; `says` names it, and what else it may mean."""

    reason: Annotated[Likeness | str, OrNewer()]
    weight: Annotated[Weight | str, OrNewer()]
    says: str
    accounts: list[LikeAccount]
