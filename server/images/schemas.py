"""What image endpoints give."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class ImageOut(BaseModel):
    """An image of a team."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    digest: str
    size: int
    facts: dict[str, Any]
    created_at: datetime
