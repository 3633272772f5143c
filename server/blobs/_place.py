"""Where a bucket is and who asks for it, as settings say it."""

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*)?")
_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class BucketPlace:
    """A bucket, and the prefix that all keys have there; `endpoint` without a slash at its end.

    patience: seconds that a piece of a blob may take, or a question an eighth of it.
    """

    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    path_style: bool = True
    patience: float = 80.0

    @classmethod
    def at(
        cls,
        url: str,
        endpoint: str | None,
        region: str,
        access_key: str,
        secret_key: str,
        *,
        path_style: bool,
    ) -> Self:
        """The place that s3://BUCKET/PREFIX names; without an endpoint it is Amazon's.

        Raises:
            ValueError: it names none.
        """
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
            raise ValueError("BLOBS_URL has to be s3://BUCKET or s3://BUCKET/PREFIX")
        if not _PREFIX.fullmatch(prefix) or {".", ".."} & {*prefix.split("/")}:
            raise ValueError("the prefix of BLOBS_URL has to be words of letters, digits, dots and dashes")
        told = (endpoint or f"https://s3.{region}.amazonaws.com").rstrip("/")
        there = urlsplit(told)
        if there.scheme not in _SCHEMES or not there.hostname or there.path or there.username is not None:
            raise ValueError("PROCTOR_BLOBS_ENDPOINT has to be the store's address, as https://s3.example")
        return cls(parts.netloc, prefix, told, region, access_key, secret_key, path_style)

    @property
    def root(self) -> str:
        """The bucket's address, without a slash at its end."""
        if self.path_style:
            return f"{self.endpoint}/{self.bucket}"
        scheme, _, host = self.endpoint.partition("://")
        return f"{scheme}://{self.bucket}.{host}"

    @property
    def origin(self) -> str:
        """Scheme, host and port of every address in the bucket."""
        parts = urlsplit(self.root)
        return f"{parts.scheme}://{parts.netloc}"

    def key(self, name: str) -> str:
        """The key of a name under the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def address(self, key: str = "") -> str:
        """The address of a key of the bucket, or the bucket's own."""
        return f"{self.root}/{quote(key)}" if key else self.root

    def __str__(self) -> str:
        """As BLOBS_URL names it, and where."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/") + f" at {self.endpoint}"
