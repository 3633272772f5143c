"""Which blobs rows need: layers of images that teams have, and outputs that are kept."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.blobs import BlobStore
from server.evaluations.models import CaseRun
from server.images.models import Image

_AT_ONCE = 1000


def needed(session: Session) -> Iterator[set[str]]:
    """The digests that rows name, some at a time; one may come more than once."""
    images = select(Image.facts).where(Image.removed_at.is_(None)).execution_options(yield_per=_AT_ONCE)
    for some in session.scalars(images).partitions():
        yield {digest for facts in some for digest in facts.blobs}
    outputs = select(CaseRun.output).where(CaseRun.output.is_not(None)).execution_options(yield_per=_AT_ONCE)
    for found in session.scalars(outputs).partitions():
        yield {str(output) for output in found}


def missing(session: Session, blobs: BlobStore) -> set[str]:
    """Those that rows name and that are not stored."""
    return {digest for some in needed(session) for digest in some - blobs.sizes(some).keys()}
