"""What is known of an image once its archive has been checked."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class ImageFacts(BaseModel):
    """A checked image. `digest` is that of its config, which is the image id Docker gives it.

    `layers` are the digests of the unpacked layers (diff ids) from the bottom up, `layer_sizes` their bytes,
    `size` their sum. `environment` holds names only: values may be secrets. `invoke`: it says that its program serves
    several cases; images that were checked by an older release do not say it.
    """

    model_config = ConfigDict(frozen=True)

    digest: Digest
    layers: tuple[Digest, ...]
    layer_sizes: tuple[int, ...]
    size: int
    architecture: str
    os: str
    user: str
    environment: tuple[str, ...]
    entrypoint: tuple[str, ...]
    invoke: bool = False

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of its config and of its layers, each once."""
        return tuple(dict.fromkeys((self.digest, *self.layers)))
