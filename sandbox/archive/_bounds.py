"""The bounds of the check of an archive."""

import re
from dataclasses import dataclass

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Bounds:
    """How much an archive may hold. Sizes in bytes.

    `ratio` bounds what a gzip stream, and the whole file, expands to, times its own size; the first `free` bytes do not
    count, so that a small layer of zeros passes. So many `names` are kept of what the layers hold. Docker's storage
    stacks 127 layers, of which a container takes two.
    """

    archive_members: int = 10_000
    layer_members: int = 2_000_000
    gzip_members: int = 1_000_000
    layers: int = 125
    config: int = 2**20
    documents: int = 32 * 2**20
    names: int = 500_000
    variables: int = 1000
    environment: int = 128 * 2**10
    ratio: int = 200
    free: int = 64 * 2**20

    def most(self, size: int, limit: int) -> int:
        """Bytes to which a file of `size` bytes may unpack, where `limit` are the most for any."""
        return min(limit, max(self.free, self.ratio * size))
