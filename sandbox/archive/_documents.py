"""The JSON documents of an archive by their names, and by the digests that their names promise."""

from typing import Any

from sandbox.archive._bounds import DIGEST
from sandbox.archive._config import parse, sha256
from sandbox.archive._errors import SAVE_AGAIN, ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._fields import invalid
from sandbox.archive._index import Archive

BLOBS = "blobs/sha256/"


def blob_name(digest: Any) -> str:
    """The name of the member that holds the blob with this digest."""
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise invalid(f"the OCI index names a blob by something else than a sha256 digest; {SAVE_AGAIN}.")
    return BLOBS + digest.removeprefix("sha256:")


def json_at(archive: Archive, name: str) -> Any:
    """The content of the document called `name`; of a blob, an object.

    Raises:
        ArchiveInvalid: config_invalid, missing_blob, wrong_digest.
    """
    content = parse(verified(archive, name, shown(name)), shown(name))
    if name.startswith(BLOBS) and not isinstance(content, dict):
        raise invalid(f"{shown(name)} is not a manifest; {SAVE_AGAIN}.")
    return content


def verified(archive: Archive, name: str, what: str) -> bytes:
    """A document, whose bytes have the sha256 that its name states.

    Raises:
        ArchiveInvalid: config_invalid, missing_blob, wrong_digest.
    """
    if (member := archive.find(name)) is None:
        raise missing(what, name)
    data = archive.document(name)
    if data is None:
        raise invalid(f"{what} is no JSON document of at most {archive.bounds.config:,} bytes; {SAVE_AGAIN}.")
    if (stated := stated_digest(member.name)) and stated != sha256(data):
        raise wrong_digest(what, stated, sha256(data))
    return data


def stated_digest(name: str) -> str | None:
    """The digest that a member's name promises: an OCI blob, or `docker save`'s CONFIG.json."""
    stem = name.removeprefix(BLOBS) if name.startswith(BLOBS) else name.removesuffix(".json")
    digest = "sha256:" + stem.removeprefix("sha256:")
    return digest if DIGEST.fullmatch(digest) else None


def wrong_digest(what: str, stated: str, actual: str) -> ArchiveInvalid:
    """The error of bytes that are not what the archive says they are."""
    return ArchiveInvalid(
        ArchiveCode.WRONG_DIGEST,
        f"{what} should have the digest {stated[:19]}… but has {actual[:19]}…: it was damaged or changed; "
        f"{SAVE_AGAIN}.",
    )


def missing(what: str, name: str) -> ArchiveInvalid:
    """The error of a part that the archive lacks."""
    return ArchiveInvalid(
        ArchiveCode.MISSING_BLOB, f"{what} is not in the archive ({shown(name)}); {SAVE_AGAIN}."
    )
