"""What is sent and answered of the addresses that webhooks go to."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel

from contract.answers import Answer, Id, OrNewer
from contract.bounds import Few
from contract.notices import DeliveryStatus, NoticeKind
from contract.texts import Line

MOST = 5
"""Webhooks that a team, a challenge's organizers, or the admins may have."""
KEEPS_HOURS = 24
"""So long the secret before the present one signs, too."""
TEST = "webhook.test"
"""The type of what is sent to try a webhook."""


class WebhookIn(BaseModel):
    """A new webhook; without `kinds` it is told everything."""

    url: Annotated[str, Line(1000, least=1, strip=True)]
    kinds: Annotated[list[NoticeKind], Few(len(NoticeKind))] = []


class WebhookAct(StrEnum):
    """What is done with a webhook."""

    TEST = "test"  # sends a message of type webhook.test
    ROTATE = "rotate"  # a new secret; the old one signs for a day, too
    ENABLE = "enable"  # sends again to one that was disabled


ACTS = ("list", "add", "remove", *WebhookAct)
"""What the commands do with webhooks."""


class WebhookActIn(BaseModel):
    """What to do."""

    act: WebhookAct


class LastDelivery(Answer):
    """The latest message to a webhook, and what became of it."""

    id: Id
    at: datetime
    status: Annotated[DeliveryStatus | str, OrNewer()]
    attempts: int
    next_at: datetime | None
    error: str | None


class WebhookOut(Answer):
    """A webhook. `failing_since`: it took nothing since; `disabled_why`: nothing is sent any more, and why."""

    id: Id
    url: str
    kinds: list[str]
    created_at: datetime
    failing_since: datetime | None
    disabled_why: str | None
    last: LastDelivery | None


class WebhookSecretOut(WebhookOut):
    """The same with its secret, which is shown once: where it was made."""

    secret: str | None
