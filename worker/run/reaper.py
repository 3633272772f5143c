"""Removing what should not be on this host any more: overdue containers, and what dead slots left."""

import contextlib
import shutil
from collections.abc import Collection

import structlog

from sandbox.engine import Engine
from sandbox.faults import EngineFault
from worker.run.host import HostFolder

_log = structlog.get_logger()


class Reaper:
    """Looks after the host on behalf of the slot `slot`, whose containers in `wanted` stay."""

    def __init__(self, host: HostFolder, slot: str, wanted: Collection[str]) -> None:
        self._host, self._slot, self._wanted = host, slot, wanted

    def reap(self) -> None:
        """Removes containers of this host that should have ended long ago, and what dead slots left."""
        try:
            with contextlib.closing(Engine.connect()) as engine:
                for name in self._host.overdue():
                    _log.error("container_overdue", container=name)
                    engine.kill_container(name)
                removed = _remove_orphans(engine, self._host, self._slot, self._wanted)
                removed += remove_dead(engine, self._host, but=self._slot)
        except EngineFault as fault:
            _log.warning("orphans_not_checked", fault=fault.fault)
            return
        if removed:
            _log.info("orphans_removed", count=len(removed))


def remove_dead(engine: Engine, host: HostFolder, *, but: str | None = None) -> list[str]:
    """Removes what slots of `host` left whose worker is gone, all but one; the names of what the engine had of it.

    Raises:
        EngineFault: the engine does not answer.
    """
    return [name for slot in host.dead_slots(but) for name in _remove_orphans(engine, host, slot, ())]


def _remove_orphans(engine: Engine, host: HostFolder, slot: str, keep: Collection[str]) -> list[str]:
    prefix = host.container_prefix(slot)
    removed = engine.remove_orphans(prefix, keep)
    for folder in host.scratches(slot):
        if prefix + folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)
    return removed
