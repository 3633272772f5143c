"""Whether Apptainer runs anything on this host, and in our words what keeps it from that."""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox import elf
from sandbox.engines._apptainer_command import ContainerPlaces, environment, run_command
from sandbox.engines._errors import EngineRefused, EngineSilent
from sandbox.faults import shortened

OLDEST = (1, 3)
_EXITS_WITH_0 = bytes.fromhex("b83c00000031ff0f05")
_SENTENCES = (
    (
        r"user namespace|newuidmap|uid_map|unshare",
        "this user may make no user namespace: set user.max_user_namespaces above 0 with sysctl "
        "(on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0)",
    ),
    (r"fuse", "it needs FUSE on this host: install fuse3 and fuse-overlayfs, and let users open /dev/fuse"),
    (r"overlay", "it can lay nothing over an image: use Linux 5.11 or newer, or install fuse-overlayfs"),
    (r"network", "it makes no network of its own for this user: allow network namespaces in apptainer.conf"),
)


def version(program: str, seconds: float) -> str:
    """Its version.

    Raises:
        EngineSilent: it is not there, is none that can be used, or says nothing.
    """
    try:
        done = subprocess.run([program, "--version"], capture_output=True, check=False, timeout=seconds)
    except FileNotFoundError as error:
        raise EngineSilent(
            f"there is no {program}: install Apptainer 1.3 or newer, or load its module"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineSilent(f"{program} does not say its version: {error}") from error
    said = done.stdout.decode(errors="replace").strip()
    found = re.search(r"(\d+)\.(\d+)[.\d]*", said)
    if found is None or not said.startswith("apptainer"):
        raise EngineSilent(f"{program} is not Apptainer: {shortened(said)}")
    if (int(found[1]), int(found[2])) < OLDEST:
        raise EngineSilent(f"Apptainer is {found[0]}; use 1.3 or newer")
    return found[0]


def runs(program: str, config: Mapping[str, Any], top: Path, seconds: float) -> None:
    """Run a known program with the options `config`.

    Raises:
        EngineRefused: that fails, so that nothing would run on this host.
    """
    with tempfile.TemporaryDirectory(dir=top, prefix=".probe-") as made:
        places = ContainerPlaces(*(Path(made) / name for name in ("image", "upper", "output", "work")))
        for folder in (places.image, places.upper, places.output, places.work):
            folder.mkdir()
        known = places.image / "known"
        known.write_bytes(elf.program(_EXITS_WITH_0))
        known.chmod(0o755)
        command = run_command(program, config, places, ["/known"])
        try:
            done = subprocess.run(
                command,
                env=environment(config),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=seconds,
            )
        except FileNotFoundError as error:
            raise EngineRefused(503, f"there is no {command[0]} on this host: install util-linux") from error
        except subprocess.TimeoutExpired as error:
            raise EngineRefused(503, "Apptainer does not run a known program in time") from error
    if done.returncode:
        raise EngineRefused(503, explained(done.stderr.decode(errors="replace")))


def explained(said: str) -> str:
    """What keeps Apptainer from running anything, from what it says; its own last line where that is not known."""
    known = (sentence for mark, sentence in _SENTENCES if re.search(mark, said, re.IGNORECASE))
    last = said.strip().rpartition("\n")[2]
    reason = next(known, None)
    shown = f"{reason} ({shortened(last)})" if reason else shortened(last or "it says nothing")
    return f"Apptainer runs nothing here: {shown}"
