"""What changed, as admins read it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from contract.answers import Answer, Older

VIEWED = "viewed"
"""What an event says where somebody looked at what is hidden; its code says at what."""


class Subject(StrEnum):
    """What an event is about."""

    AGREEMENT = "agreement"
    CASE = "case"  # of a version of the cases
    CASE_RUN = "case_run"
    CHALLENGE = "challenge"
    DATASET = "dataset"
    CONSIGNMENT = "consignment"
    EVALUATION = "evaluation"
    IMAGE = "image"
    QUESTION = "question"
    RECEIPT_KEY = "receipt_key"
    REEVALUATION = "reevaluation"
    SUBMISSION = "submission"
    TEAM = "team"
    TOKEN = "token"  # noqa: S105 - what it is about, and none itself
    UPLOAD = "upload"
    USER = "user"
    WEBHOOK = "webhook"
    WORKER = "worker"


class EventOut(Answer):
    """One change of one thing: of its status from `old` to `new`, or what `what` says.

    `old` is null where a thing begins. `code`: what came of it or why it ended, from a closed list; `claim_no`: the
    claim of a case run that changed it. `actor`: user:<id>, worker:<name>, proctor-admin, or
    platform; `actor_name`: what that person is called.
    """

    id: UUID
    created_at: datetime
    subject: Subject
    subject_id: UUID
    old: str | None
    new: str | None
    code: str | None
    claim_no: int | None
    actor: str
    actor_name: Annotated[str | None, Older(None)]
    what: str | None
    why: str | None
