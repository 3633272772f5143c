"""What it means when the engine refuses to create or start a container: whose fault that is, and a sentence for it."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evaluator.verdicts import HINTS, Fault, PlatformFault, Verdict
from sandbox import known
from sandbox.engine import NO_ANSWER, Engine
from sandbox.engines import EngineRefused, EngineSlow
from sandbox.faults import EngineFault
from sandbox.refusals import ran_out

UNLOADABLE = Verdict(
    Fault.NO_START, "The image cannot be loaded: its configuration or its layers do not fit together."
)
"""The verdict on an image that passed its check and that no engine can load."""

# Engines of several versions and runtimes end their sentences with these words of the kernel and of Go. They choose
# what the participant reads, never whose fault it is; names that an image chose may say any of them.
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
        "unsatisfied condition",
        "The container could not be started: the image asks for another NVIDIA driver or GPU than the platform has "
        "(NVIDIA_REQUIRE_CUDA of its base image).",
    ),
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
_OTHERWISE = (
    "The container could not be made or started, although one of another image could: "
    "the engine refuses what the image's configuration or its files ask for."
)

SLOW = (
    "The container could not be made in time: the image declares too much, "
    "such as a VOLUME with many or large files, or thousands of variables."
)
_SHARE = 4
"""A known image runs at once if it takes less than one part in so many of the engine's time for an answer."""
_slow: set[str] = set()
"""The images, by id, that the engine was slow with once while it was quick with a known one."""
_found_slow: dict[str, float] = {}
"""The images that it was slow with again, and when that was found. Each try holds a slot for as long as an answer may
take, so that for some minutes none is made."""
_REMEMBERED = 600.0
_NOT_EXECUTED = re.compile(
    r"^(?:\[FATAL tini \(\d+\)\] exec .* failed:|ERROR \(catatonit:\d+\): failed to exec pid1:) .*$",
    re.MULTILINE,
)
_INIT_FAILED = (1, 126, 127)
"""What the init process ends with: 127 where there is no such file, 126 where it may not, 1 for every other reason.
That of Podman ends with 1 for all of them."""
_REASON = 300


def refused(
    engine: Engine, config: Mapping[str, Any], name: str, error: EngineRefused, *, again: Callable[[], object]
) -> Verdict | None:
    """The participant's verdict for a refused create or start; None if the engine does it after all.

    An image is to blame where the engine runs a known image with the same options, `config`, right then, and refuses
    this one once more. `again` asks for the same thing as the call that raised `error`; `name` is the container's.

    Raises:
        EngineFault: if the refusal is not the image's doing.
    """
    said = error.said
    if error.is_missing and not engine.has_image(str(config["Image"])):
        raise EngineFault(PlatformFault.IMAGE_MISSING, said) from error
    if error.status in NO_ANSWER or ran_out(engine, said, image=str(config["Image"])):
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, said) from error
    other = known.refused(engine, config, name)
    if other is not None:
        raise EngineFault(_broken(engine, config, name), f"{said}; and of a known image: {other}") from error
    try:
        again()
    except EngineRefused as repeated:
        return Verdict(Fault.NO_START, sentence(repeated.said))
    return None


def too_slow(engine: Engine, config: Mapping[str, Any], name: str, error: EngineSlow) -> Verdict:
    """The participant's verdict where the engine does not make or start a container of the image in its time.

    An image is to blame where that happens a second time, and a known image with the same options runs at once each
    time: what it declares as a VOLUME takes minutes to copy, say.

    Raises:
        EngineFault: the first time, or if the engine is slow with every image.
    """
    began = time.monotonic()
    other = known.refused(engine, config, name)
    prompt = other is None and (time.monotonic() - began) * _SHARE < engine.raw.timeout
    image = str(config["Image"])
    if not prompt or image not in _slow:
        if prompt:
            _slow.add(image)
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"making a container: {error}") from error
    _found_slow[image] = time.monotonic()
    return Verdict(Fault.NO_START, SLOW)


def known_slow(image: str) -> Verdict | None:
    """The verdict on an image, by its id, that was found to be too slow in the last minutes; None on others."""
    since = _found_slow.get(image)
    if since is None or time.monotonic() - since > _REMEMBERED:
        return None
    return Verdict(Fault.NO_START, SLOW)


def _broken(engine: Engine, config: Mapping[str, Any], name: str) -> PlatformFault:
    """What keeps even a known image from running: the GPU, if it runs without one."""
    host = config["HostConfig"]
    if host.get("DeviceRequests"):
        without = {**config, "HostConfig": {**host, "DeviceRequests": []}}
        if known.refused(engine, without, name) is None:
            return PlatformFault.GPU_FAULT
    return PlatformFault.ENGINE_UNAVAILABLE


def sentence(said: str) -> str:
    """Our own sentence for what an engine says of a container that it does not make or start."""
    lower = said.lower()
    return next((ours for mark, ours in _PARTICIPANT if mark in lower), _OTHERWISE)


def without_paths(engine: Engine, said: str, scratch: Path) -> str:
    """What an engine says, for whoever may read the case's log: without the host's own folders."""
    folders = "|".join(re.escape(str(folder)) for folder in (engine.host["DockerRootDir"], scratch))
    return re.sub(rf"[^\s\"']*(?:{folders})[^\s\"']*", "(a folder of the host)", said)


def not_started(exit_code: int, log: str) -> Verdict | None:
    """The verdict if the init process could not execute the command; None if the command itself ran.

    A SIF file's wrapper says the same as the init process, after its shell has said why.
    """
    mark = _NOT_EXECUTED.search(log)
    if exit_code not in _INIT_FAILED or mark is None:
        return None
    lower = log[max(0, mark.start() - _REASON) : mark.end()].lower()
    ours = next((ours for part, ours in _PARTICIPANT if part in lower), HINTS[Fault.NO_START])
    return Verdict(Fault.NO_START, ours)
