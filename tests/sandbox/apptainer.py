"""Apptainer where none can be installed: a stand-in that carries out its command lines by bubblewrap."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def standing_in(top: Path) -> Iterator[Path]:
    """The folder `top` with the stand-in, the first of this process's programs while it lasts.

    Skips the test that asks for it where there is no bubblewrap, which `make bubblewrap` installs.
    """
    if shutil.which("bwrap") is None:
        pytest.skip("Apptainer's stand-in was not tried: there is no bubblewrap")
    shutil.copy(Path(__file__).with_name("standins") / "apptainer", top)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{top}:{os.environ['PATH']}")
        patch.setenv("PROCTOR_APPTAINER_DIR", str(top / "store"))
        yield top
