"""What `find` and `show` answer to organizers and admins: anything by a name, an id or a digest, and all of one."""

from datetime import datetime
from typing import Annotated

from contract.admin import EvaluationShown
from contract.answers import Answer, Id, OrNewer
from contract.events import Subject

MOST_FOUND = 50
"""Things of one kind that one answer lists."""


class FoundOut(Answer):
    """One thing: what it is, and a line that tells it from others. `challenge`: null for what is the installation's."""

    kind: Annotated[Subject | str, OrNewer()]
    id: Id
    challenge: str | None
    title: str
    at: datetime


class SearchOut(Answer):
    """What was found, by kind and the newest first of each. `sentence`: of what there is more, and how to narrow it."""

    items: list[FoundOut]
    sentence: str | None


class FactOut(Answer):
    """One line about a thing."""

    head: str
    said: str


class HappenedOut(Answer):
    """One event as people read it; `actor`: a person's name and address, a worker, or the platform."""

    at: datetime
    actor: str
    what: str
    why: str | None


class ShownOut(FoundOut):
    """All of one thing on one screen.

    `evaluation`: of an evaluation or a case, all of it with the names of its cases. `happened`: the latest events, the
    oldest first. `participant`: a text for its team, which holds only what the team may see; null where there is no
    team. `acts`: commands that concern it. `logs`: a command that finds it in all logs, null where none has it.
    """

    facts: list[FactOut]
    evaluation: EvaluationShown | None
    related: list[FoundOut]
    happened: list[HappenedOut]
    participant: str | None
    acts: list[str]
    logs: str | None
