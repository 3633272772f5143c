"""What schemathesis cannot know by itself: how bytes of an upload are written."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def as_bytes(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A value as a body of bytes."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
