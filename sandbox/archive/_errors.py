"""What can be wrong with an image archive: a closed list of codes, each with a sentence."""

from enum import StrEnum


class ArchiveCode(StrEnum):
    """Why an archive is refused; every one of them is the participant's to mend."""

    NOT_A_TAR = "not_a_tar"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    EXPANDS_TOO_MUCH = "expands_too_much"
    TOO_MANY_MEMBERS = "too_many_members"
    NO_IMAGE = "no_image"
    SEVERAL_IMAGES = "several_images"
    WRONG_ARCHITECTURE = "wrong_architecture"
    WRONG_DIGEST = "wrong_digest"
    MISSING_BLOB = "missing_blob"
    CONFIG_INVALID = "config_invalid"
    TOO_MANY_LAYERS = "too_many_layers"
    UNSAFE_PATH = "unsafe_path"
    DUPLICATE_MEMBER = "duplicate_member"
    UNSAFE_DEVICE = "unsafe_device"
    UNSUPPORTED_MEMBER = "unsupported_member"
    UNSUPPORTED_COMPRESSION = "unsupported_compression"
    LAYER_INVALID = "layer_invalid"
    ENCRYPTED = "encrypted"


SAVE_AGAIN = "save the image again with `docker save IMAGE -o image.tar` and upload that file"
BUILD_AGAIN = "build the image again with `docker build`, and save it with `docker save IMAGE -o image.tar`"


class ArchiveInvalid(Exception):
    """An archive that holds no acceptable image; `message` says what was wrong, where, and what to do."""

    def __init__(self, code: ArchiveCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ToolMissing(Exception):
    """This machine lacks a program that reading such an archive takes; `remedy` says how to get it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what, self.remedy = what, remedy


def shown(name: str) -> str:
    """A member name as it may stand in a message: quoted, printable, at most 80 characters."""
    text = ascii(name)
    return text if len(text) <= 80 else text[:76] + "…" + text[0]


def binary_size(count: int) -> str:
    """A number of bytes for people, in powers of 1024."""
    size, unit = float(count), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
