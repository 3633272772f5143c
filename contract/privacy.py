"""What is kept of a person, given out, and what erasing one removes, keeps and changes, as it is sent and answered."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from contract.accounts import Email
from contract.answers import Answer, Id
from contract.bounds import Strict
from contract.decisions import Reason


class PersonalData(Answer):
    """Everything that is kept of one person: the account, rows of other tables that name it, and log entries.

    rows: by table, without what opens anything. acts: the latest log entries of what the person did, or of what was
    done to the account.
    """

    at: datetime
    account: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]]
    acts: list[dict[str, Any]]


class TeamNames(StrEnum):
    """What becomes of the name of a team that nobody is left in."""

    KEEP = "keep"
    PSEUDONYM = "pseudonym"  # also on boards that are released


class Texts(StrEnum):
    """What becomes of the questions that the person wrote."""

    KEEP = "keep"
    REMOVE = "remove"  # what organizers wrote for everybody stays


class HowErased(Strict):
    """What is chosen where an erasure leaves a choice."""

    team_names: TeamNames = TeamNames.KEEP
    texts: Texts = Texts.REMOVE


class ErasureIn(HowErased):
    """An erasure. `email` has to be the account's: whoever erases has looked whom."""

    email: Email
    why: Reason


class LeftTeam(Answer):
    """A team that nobody is left in: its name, and the name that it has afterwards."""

    id: Id
    challenge: str
    name: str
    becomes: str


class ErasureOut(Answer):
    """What erasing a person does, or did. Numbers of rows, by table and column.

    goes: removed. stays: kept, naming the account by its id, which then leads to no person. renamed: teams that nobody
    is left in. said: sentences on what is kept and why.
    """

    person: Id
    email: str
    erased: bool
    goes: dict[str, int]
    stays: dict[str, int]
    teams: list[LeftTeam]
    said: list[str]
