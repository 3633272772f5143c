"""Whether a GPU answers its driver, and what that says of it: asked of the driver's own tool each time."""

import shutil
import subprocess
from collections.abc import Mapping

from evaluator.verdicts import PlatformFault
from sandbox.faults import EngineFault

_TOOL = "nvidia-smi"
_SECONDS = 20.0  # a driver that lost a GPU may never answer
_ASKED = (
    *("uuid", "memory.used", "ecc.errors.uncorrected.volatile.total"),
    *("ecc.mode.current", "persistence_mode", "mig.mode.current"),
)
_LOST = ("is lost", "unknown error", "err!")
"""What stands in place of a number of a GPU that fell off the bus."""
_MOST_SAID = 200


def ailing(uuid: str) -> str | None:
    """Why nothing may run on this GPU, in a sentence for admins.

    None where it answers and counts no memory error that it could not correct, and where there is no tool to ask.
    """
    if shutil.which(_TOOL) is None:
        return None
    found = facts(uuid)
    if isinstance(found, str):
        return found
    errors = found["ecc.errors.uncorrected.volatile.total"]
    if errors.isdecimal() and int(errors) > 0:
        return (
            f"GPU {uuid} counts {errors} memory errors that it could not correct. Reset it, with nothing on it: "
            f"nvidia-smi --gpu-reset -i {uuid}"
        )
    return None


def blame(uuid: str | None) -> None:
    """Returns where a program that failed had no GPU, or one that answers: then it is the program's own doing.

    Raises:
        EngineFault: its GPU fails.
    """
    why = ailing(uuid) if uuid is not None else None
    if why is not None:
        raise EngineFault(PlatformFault.GPU_FAULT, why)


def facts(uuid: str) -> Mapping[str, str] | str:
    """What the driver says of this GPU, by the names of its tool; or why it says nothing, in a sentence for admins."""
    command = [_TOOL, f"--id={uuid}", f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return (
            f"nvidia-smi did not answer for GPU {uuid} within {_SECONDS:g} s: its driver hangs. "
            "See the kernel's log (dmesg, NVRM: Xid) and restart the host."
        )
    except OSError as error:
        return f"nvidia-smi cannot be started: {error.strerror}."
    said = " ".join((answer.stdout + answer.stderr).split())[:_MOST_SAID]
    cells = [cell.strip() for cell in answer.stdout.strip().split(",")]
    if answer.returncode or len(cells) != len(_ASKED) or any(mark in said.lower() for mark in _LOST):
        return (
            f"GPU {uuid} does not answer its driver; nvidia-smi says: {said or 'nothing'}. "
            "See the kernel's log (dmesg, NVRM: Xid)."
        )
    return dict(zip(_ASKED, cells, strict=True))
