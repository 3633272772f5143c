"""`python -m worker.run wipe`: nothing of hidden cases stays on a host that runs cases no more."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sandbox.engine import Engine
from worker.run.host import HostFolder
from worker.run.image_cache import ImageCache
from worker.run.input_cache import InputCache
from worker.run.reaper import remove_dead


def wipe(folder: Path, *, images: bool) -> Iterator[str]:
    """Removes the inputs that run workers of this host keep in `folder`, and what dead ones left; says what it did.

    images: participants' images too, but for those that a case uses now.

    Raises:
        EngineFault: the engine does not answer; the inputs that are kept are gone by then.
    """
    host = HostFolder(folder)
    wiped = InputCache(folder / "inputs", 0).wipe()
    yield f"Removed {wiped.files} input files ({wiped.size / 1e9:.2f} GB) from {folder / 'inputs'}."
    left = [slot for slot in host.dead_slots() if host.scratches(slot)]
    if left or images:
        with contextlib.closing(Engine.connect()) as engine:
            yield from _wipe_engine(engine, host, left, images=images)
    if living := host.living_slots():
        yield (
            f"Running: {', '.join(living)}. The inputs of the cases that they have go when these end, and what comes "
            "next is kept again: stop the workers and run this once more, or start them with PROCTOR_INPUT_CACHE=0."
        )


def _wipe_engine(engine: Engine, host: HostFolder, left: list[str], *, images: bool) -> Iterator[str]:
    if left:
        remove_dead(engine, host)
        yield f"Removed what workers that were killed had left: {', '.join(left)}."
    if images:
        removed, kept = ImageCache(host, None).wipe(engine)
        yield f"Removed {removed} images of participants" + (
            f"; {kept} are in use and stay." if kept else "."
        )
