"""What is answered of images and of what a team stores."""

from datetime import datetime
from typing import Any

from contract.answers import Answer, Id


class ImageOut(Answer):
    """An image of a team."""

    id: Id
    digest: str
    size: int
    facts: dict[str, Any]
    created_at: datetime


class StorageOut(Answer):
    """Bytes that a team stores, and may: images unpacked, each layer once, and uploads as long as they will be."""

    used: int
    allowed: int
    images: int
    uploads: int
