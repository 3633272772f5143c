"""What it means when the engine refuses to create or start a container: whose fault that is."""

import re

from docker.errors import APIError, ImageNotFound

from evaluator.verdicts import HINTS, Fault, PlatformFault, Verdict
from sandbox.engine import explanation
from sandbox.faults import EngineFault

UNLOADABLE = Verdict(
    Fault.NO_START, "The image cannot be loaded: its configuration or its layers do not fit together."
)
"""The verdict on an image that passed its check and that no engine can load."""

_GPU = re.compile(r"nvidia|device driver|libcuda|gpu", re.IGNORECASE)
# Names that an image chose, as they stand in the engine's sentences: they must not be taken for its own words.
_NAMES = re.compile(r"\"[^\"]*\"|'[^']*'|unable to find (user|group) .*", re.DOTALL)
_OURS = ("failed to mount local volume",)
_PARTICIPANT: tuple[tuple[str, str], ...] = (
    ("executable file not found", "The command could not be started: its program is not in the image."),
    (
        "exec format error",
        "The command could not be started: its program is built for another kind of machine.",
    ),
    ("no such file or directory", "The command could not be started: a file it needs is not in the image."),
    (
        "permission denied",
        "The command could not be started: the image does not allow its program to be executed.",
    ),
    ("is a directory", "The command could not be started: its path is a directory in the image."),
    ("not a directory", "The command could not be started: a path it needs is not a directory in the image."),
    (
        "unable to find user",
        "The command could not be started: the image names a user that it does not have.",
    ),
    (
        "unable to find group",
        "The command could not be started: the image names a group that it does not have.",
    ),
    ("uids and gids must be", "The command could not be started: the image names a user beyond all numbers."),
    (
        "environment variable name can't be empty",
        "The command could not be started: the image sets a variable that has no name.",
    ),
    ("argument list too long", "The command could not be started: the image's variables are too long."),
    ("no command specified", "The command could not be started: the image has no ENTRYPOINT."),
    (
        "invalid mount config",
        "The container could not be made: the image declares a VOLUME that cannot be mounted.",
    ),
    ("not of type proc", "The container could not be made: the image has a link into /proc where we mount."),
    (
        "no space left on device",
        "The container could not be made: what the image holds in a VOLUME or in /tmp is too large.",
    ),
    ("cannot mkdir", "The container could not be made: the image has a file where a directory must be."),
    ("is not directory", "The container could not be made: the image has a file where a directory must be."),
    ("too many links", "The container could not be made: the image has a link in a circle where we mount."),
    ("inside /proc", "The container could not be made: the image declares a VOLUME that leads into /proc."),
    (
        "read-only file system",
        "The container could not be made: the image declares a VOLUME in a read-only place.",
    ),
    ("destination can't be '/'", "The container could not be made: the image declares / as a VOLUME."),
    (
        "duplicate mount point",
        "The container could not be made: the image declares a VOLUME where /input is.",
    ),
)
_PROCESS = (
    "starting container process",
    "unable to start container process",
    "unable to find",
    "no command",
    "mount",
    "uids and gids",
    "cannot mkdir",
    "failed to copy files",
    "is not directory",
    "too many links",
)


def refused(error: APIError) -> Verdict:
    """The participant's verdict for a refused create or start.

    Raises:
        EngineFault: if the refusal is not the image's doing.
    """
    text = explanation(error)
    if isinstance(error, ImageNotFound):
        raise EngineFault(PlatformFault.IMAGE_MISSING, text) from error
    if _GPU.search(_NAMES.sub("", text)):
        raise EngineFault(PlatformFault.GPU_FAULT, text) from error
    lower = text.lower()
    if any(phase in lower for phase in _PROCESS) and not any(mark in lower for mark in _OURS):
        for mark, sentence in _PARTICIPANT:
            if mark in lower:
                return Verdict(Fault.NO_START, sentence)
    raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, text) from error


def not_started(exit_code: int, log: str) -> Verdict | None:
    """The verdict if the init process could not execute the command; None if the command itself ran."""
    mark = re.search(r"^\[FATAL tini \(\d+\)\] exec .* failed: (.*)$", log, re.MULTILINE)
    if exit_code not in (126, 127) or mark is None:
        return None
    lower = mark[1].lower()
    sentence = next((sentence for part, sentence in _PARTICIPANT if part in lower), HINTS[Fault.NO_START])
    return Verdict(Fault.NO_START, sentence)
