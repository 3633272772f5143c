"""What the server's check finds of a file, found here: nothing of it is kept, and no engine is asked."""

from pathlib import Path

from client.errors import ArchiveRefused, Local
from contract.images import ImageFacts
from sandbox.archive import ArchiveInvalid, BlobWriter, HashOnly, ToolMissing, check_archive

_LAYERS = 2**40  # bytes: what a server takes is for the server to say


def facts_of(archive: Path) -> ImageFacts:
    """What is found of a local archive or SIF file.

    Raises:
        Local, ArchiveRefused: it cannot be read, or is no image.
    """
    try:
        return check_archive(archive, limit=_LAYERS, sink=_Nowhere(), calls=())
    except ArchiveInvalid as error:
        raise ArchiveRefused(error.code, error.message) from None
    except ToolMissing as error:
        raise Local(error.what, error.remedy) from None
    except OSError as error:
        raise Local(f"{archive} cannot be read: {error.strerror}.") from None


class _Nowhere:
    """Blobs are read and kept nowhere."""

    def has(self, digest: str) -> bool:
        """None of them is there."""
        return False

    def writer(self) -> BlobWriter:
        """A new blob."""
        return HashOnly()
