"""What image endpoints give."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contract.images import ImageFacts


class ImageOut(BaseModel):
    """An image of a team."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    digest: str
    size: int
    facts: ImageFacts
    created_at: datetime


class StorageOut(BaseModel):
    """Bytes that a team stores, and may: images unpacked, each layer once, and uploads as long as they will be."""

    used: int
    allowed: int
    images: int
    uploads: int
