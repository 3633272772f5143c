"""Files of ours that every container of Podman is given, instead of those that it would make of the host's own."""

import atexit
import os
import shutil
import tempfile
import threading
from pathlib import Path

from sandbox import seccomp

_HOSTS = "127.0.0.1\tlocalhost proctor\n::1\tlocalhost\n"
_INSIDE = {"/etc/hosts": "hosts", "/etc/hostname": "hostname", "/run/.containerenv": "empty"}
_making = threading.Lock()
_folder: Path | None = None


def files() -> dict[str, Path]:
    """By their path inside, and the filter of system calls as `seccomp`; they stay as long as this process.

    A container that was made and waits for its start needs them, whatever becomes of the connection that made it.
    """
    global _folder
    with _making:
        if _folder is None or not all((_folder / name).is_file() for name in _texts()):
            _folder = _made()
        named = {inside: _folder / name for inside, name in _INSIDE.items()}
        return named | {"seccomp": _folder / "seccomp"}


def _texts() -> dict[str, str]:
    return {"seccomp": seccomp.profile(), "hosts": _HOSTS, "hostname": "proctor\n", "empty": ""}


def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="proctor-podman-"))
    atexit.register(_remove, folder, os.getpid())
    folder.chmod(0o711)
    for name, text in _texts().items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o444)
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a child that was forked shares them
        shutil.rmtree(folder, ignore_errors=True)
