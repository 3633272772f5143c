"""Answers a case as a system without POSIX would: `python tests/baseline_model/elsewhere.py PROGRAM FLAGS`.

The libraries are loaded first, and are held to know such systems. Then the modules and names that Windows lacks are
taken away, and the program is run as `python PROGRAM FLAGS` would.
"""

import errno
import importlib
import os
import runpy
import sys
import time
from pathlib import Path

from tests.client.elsewhere import MODULES, take_away


def leave_posix() -> None:
    """From here on this process has neither the modules nor the names, and no files of the kernel's."""
    for name in ("nibabel", "numpy", "torch", "argparse", "traceback"):
        importlib.import_module(name)
    for name in MODULES & set(sys.modules):
        del sys.modules[name]
    take_away()
    for name in ("CLOCK_BOOTTIME", "clock_gettime"):
        delattr(time, name)
    sys.addaudithook(_refuse_kernel)


def _refuse_kernel(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and str(arguments[0]).startswith("/proc/"):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])


if __name__ == "__main__":
    leave_posix()
    sys.argv[:] = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
