"""What is known of an image once its archive has been checked, and the bounds of that check."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Self

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


@dataclass(frozen=True)
class ImageFacts:
    """A checked image. `digest` is that of its config, which is the image id Docker gives it.

    `layers` are the digests of the unpacked layers (diff ids) from the bottom up, `layer_sizes` their bytes,
    `size` their sum. `environment` holds names only: values may be secrets. `invoke`: it says that its program serves
    several cases.
    """

    digest: str
    layers: tuple[str, ...]
    layer_sizes: tuple[int, ...]
    size: int
    architecture: str
    os: str
    user: str
    environment: tuple[str, ...]
    entrypoint: tuple[str, ...]
    invoke: bool = False

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The facts that `to_json` wrote.

        Raises:
            ValueError: a field is missing, or a digest is none.
        """
        try:
            content = {"invoke": False} | content  # images of an older release do not say it
            values: dict[str, Any] = {name: content[name] for name in cls.__dataclass_fields__}
        except KeyError as error:
            raise ValueError(f"image facts lack {error}") from None
        values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        facts = cls(**values)
        if not all(isinstance(one, str) and DIGEST.fullmatch(one) for one in (facts.digest, *facts.layers)):
            raise ValueError("image facts name a digest that is not sha256: and 64 hexadecimal digits")
        return facts
