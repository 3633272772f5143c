"""What of evaluations leaves the server in more than one way."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from server.evaluations.waiting import Waiting


class WaitingOut(BaseModel):
    """An evaluation that has cases to run; `priority`: 0 is usual, a higher one goes before all that have less."""

    id: UUID
    challenge: str
    phase: str
    track: str
    task: str
    team: str
    status: str
    priority: int
    cases_left: int
    created_at: datetime

    @classmethod
    def of(cls, one: Waiting) -> Self:
        """The same with its names."""
        evaluation = one.evaluation
        return cls(
            id=evaluation.id,
            challenge=one.challenge,
            phase=evaluation.phase,
            track=evaluation.track,
            task=evaluation.task,
            team=one.team,
            status=evaluation.status,
            priority=evaluation.priority,
            cases_left=evaluation.remaining,
            created_at=evaluation.created_at,
        )
