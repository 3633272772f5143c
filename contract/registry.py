"""What the registry asks and tells the server, in the words of its own specifications."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.answers import Answer
from contract.texts import Line

_Word = Annotated[str, Line(512)]


class RegistryTokenOut(Answer):
    """A token for the registry, under both names that clients look for, and the seconds for which it works."""

    token: str
    access_token: str
    expires_in: int


class _Told(BaseModel):
    """A part of a notification, of which the rest is nothing to us."""

    model_config = ConfigDict(frozen=True)


class EventTargetIn(_Told):
    """What an event is about: a blob, or a manifest with its tag."""

    repository: _Word = ""
    digest: _Word = ""
    tag: _Word = ""


class EventActorIn(_Told):
    """Who did it: the subject of the token."""

    name: _Word = ""


class RegistryEventIn(_Told):
    """One thing that happened in the registry."""

    action: _Word = ""
    target: EventTargetIn = EventTargetIn()
    actor: EventActorIn = EventActorIn()


class RegistryEventsIn(_Told):
    """A notification, as the registry sends it."""

    events: Annotated[list[RegistryEventIn], Field(max_length=100)]
