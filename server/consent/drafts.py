"""Versions of documents that are to be published, and what is said of them."""

import hashlib
from typing import NamedTuple

from contract.agreements import Before
from server.agreements.models import Agreement
from server.words import counted

_FOR = {Before.TEAM: "found or join a team, upload or submit", Before.SUBMISSION: "upload or submit"}
SHOWN = " The challenge page shows it as an amendment."


class Draft(NamedTuple):
    """A version that is to be published."""

    document: str
    title: str
    text: str
    before: Before | None
    again: bool

    @property
    def digest(self) -> str:
        """sha256 of its text."""
        return "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()


class Place(NamedTuple):
    """Where a draft comes among the versions; `same`: the present version that has its text already."""

    number: int
    since: int
    same: Agreement | None


def sentence(draft: Draft, place: Place, lacking: int, teams: int) -> str:
    """What publishing it does, for whoever is to publish it."""
    version = f"version {place.number} of {draft.document}"
    what = (
        f"“{draft.title}” becomes {version}" if place.same is None else f"{version.capitalize()} is changed"
    )
    if draft.before is None:
        return f"{what}; it is shown, and nobody has to accept it."
    earlier = place.since < place.number
    who = f"whoever accepted version {place.since} or a later one is not asked again" if earlier else ""
    asked = f"to be accepted by {counted(lacking, 'person', 'people')} in {counted(teams, 'team', 'teams')}"
    asked += f" before they upload or submit again, and by anybody else before they {_FOR[draft.before]}"
    return "; ".join(part for part in (f"{what}, {asked}", who) if part) + "."


def amended(draft: Draft, place: Place) -> str:
    """What everybody reads of it among the amendments."""
    what = f"documents: “{draft.title}” is version {place.number} of {draft.document} from now on, "
    if draft.before is None:
        return what + "which nobody has to accept"
    earlier = f", unless version {place.since} or a later one was" if place.since < place.number else ""
    return f"{what}to be accepted before anybody may {_FOR[draft.before]}{earlier}"
