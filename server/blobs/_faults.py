"""What goes wrong with a store: it does not answer, or it gives other bytes than it took."""

from contract.problems import ErrorCode
from server.errors import Busy, DataMissing

_SECONDS = 5


class BlobsAway(Busy):
    """The store does not answer, or takes nothing from us: it is worth another try.

    `why` says to an admin what it is and what to do; `detail`, which anybody may read, does not.
    """

    def __init__(self, why: str) -> None:
        said = f"The server's blob store does not answer. Nothing is lost: try again in {_SECONDS} seconds."
        super().__init__(ErrorCode.BLOBS_AWAY, said)
        self.headers["Retry-After"] = str(_SECONDS)
        self.why = why

    def __str__(self) -> str:
        """What it is and what to do."""
        return self.why


class BlobDamaged(DataMissing):
    """The store gave other bytes than the digest says, twice; none of them was used."""

    def __init__(self, digest: str) -> None:
        said = f"The blob store gives other bytes than {digest}, so they were not used. Its admin has to restore it."
        super().__init__(ErrorCode.BLOB_DAMAGED, said)
        self.digest = digest
