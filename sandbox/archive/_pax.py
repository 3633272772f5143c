"""The records of an extended header in a tar (pax), read as Go reads them."""

import re

from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, shown

_USED = frozenset({"path", "linkpath", "size"})
_NAMES = frozenset({b"path", b"linkpath", b"uname", b"gname"})
_WHOLE = frozenset({b"size", b"uid", b"gid"})
_TIMES = frozenset({b"atime", b"mtime", b"ctime"})
_NUMBER = re.compile(rb"[+-]?[0-9]{1,19}")
_TIME = re.compile(rb"[+-]?[0-9]{1,19}(\.[0-9]*)?")
_LENGTH = re.compile(rb"([0-9]{1,8}) ")
_ATTRIBUTE = b"SCHILY.xattr."
_STORAGE = (b"trusted.overlay.", b"user.overlay.", b"user.fuseoverlayfs.")
_MOST_ATTRIBUTES = 4000  # bytes: ext4 keeps all of a file in one block of 4 KiB
_LONGEST_NAME = 255
_CAPABILITIES = {(20, 0x02000000), (24, 0x03000000)}
_ACCESS_LISTS = {b"system.posix_acl_access", b"system.posix_acl_default"}
_ACCESS_LIST_VERSION = 2


def read_records(data: bytes, what: str, *, layer: bool) -> dict[str, str]:
    """The name, the link's target and the size that the records state, as far as they do.

    Each record is its length, a key and a value, and ends with a new line. A layer's attributes are bounded too.

    Raises:
        ValueError: they are damaged.
        ArchiveInvalid: unsupported_member, for a sparse file; layer_invalid, for attributes that no host can keep.
    """
    fields: dict[str, str] = {}
    attributes = position = 0
    while position < len(data):
        length = _LENGTH.match(data, position)
        end = position + int(length[1]) if length else 0
        if length is None or not length.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise ValueError("no record")
        key, equals, value = data[length.end() : end - 1].partition(b"=")
        if not equals or not key or 0 in (value if key in _NAMES else key):
            raise ValueError("no record")
        if key.startswith(b"GNU.sparse."):
            raise _sparse(what)
        if layer and key.startswith(_ATTRIBUTE):
            attributes += _attribute(key.removeprefix(_ATTRIBUTE), value, what)
        if attributes > _MOST_ATTRIBUTES:
            raise _too_much(what, f"a file with more than {_MOST_ATTRIBUTES:,} bytes of extended attributes")
        if value:
            _require_number(key, value)
        if (name := key.decode("utf-8", "surrogateescape")) in _USED:  # the last counts
            fields[name] = value.decode("utf-8", "surrogateescape")
        position = end
    return {
        name: value for name, value in fields.items() if value
    }  # an empty one leaves what the header says


def _require_number(key: bytes, value: bytes) -> None:
    form = _NUMBER if key in _WHOLE else _TIME if key in _TIMES else None
    if form is None:
        return
    if form.fullmatch(value) is None or abs(int(value.partition(b".")[0])) >= 2**63:
        raise ValueError("no number")
    if key == b"size" and int(value) < 0:
        raise ValueError("no size")


def _attribute(name: bytes, value: bytes, what: str) -> int:
    """How many bytes an extended attribute takes."""
    if name.startswith(_STORAGE):
        held = f"the extended attribute {shown(name.decode('latin-1'))}"
        raise _too_much(what, held, "with which a host's storage hides and moves files")
    if len(name) > _LONGEST_NAME:
        raise _too_much(
            what, f"an extended attribute with a name of {len(name)} bytes, {shown(name.decode('latin-1'))}"
        )
    if value and not _is_kept(name, value):
        raise _too_much(
            what, f"an extended attribute {shown(name.decode('latin-1'))} whose value is none of its kind"
        )
    return len(name) + len(value) + 16


def _is_kept(name: bytes, value: bytes) -> bool:
    """Whether a kernel keeps the attribute: it looks into capabilities and access lists, and knows none without a name.

    Capabilities are a version with its length (linux/capability.h), access lists version 2 and entries of eight bytes
    (linux/posix_acl_xattr.h).
    """
    version = int.from_bytes(value[:4], "little")
    if name == b"security.capability":
        return (len(value), version & ~1) in _CAPABILITIES
    if name in _ACCESS_LISTS:
        return version == _ACCESS_LIST_VERSION and len(value) % 8 == 4
    return bool(name)


def _too_much(what: str, held: str, why: str = "which a host cannot keep") -> ArchiveInvalid:
    return ArchiveInvalid(
        ArchiveCode.LAYER_INVALID, f"{what} holds {held}, {why}; leave it out and build the image again."
    )


def _sparse(what: str) -> ArchiveInvalid:
    return ArchiveInvalid(
        ArchiveCode.UNSUPPORTED_MEMBER,
        f"{what} holds a sparse file; container images do not use them: write the archive without `--sparse`.",
    )
