"""The program of a call in an image that the engine has: what the check of its archive would say, without saving it."""

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from sandbox.archive import DEFAULT_PATH, ArchiveInvalid, Call, Entry, Lookup, Programs, first_entry
from sandbox.engine import Engine, translate
from sandbox.engines import EngineRefused


def require_machine(engine: Engine, image: str, calls: Collection[Call]) -> None:
    """Returns unless one of the calls certainly starts a program for another machine than linux/amd64.

    `image` is the id of an image on the engine, `calls` are what a challenge starts it with.

    Raises:
        ArchiveInvalid: wrong_architecture.
        EngineFault: the engine failed.
    """
    config = engine.inspect_image(image).get("Config") or {}
    environment = dict(variable.partition("=")[::2] for variable in config.get("Env") or ())
    path, entrypoint = environment.get("PATH", DEFAULT_PATH), config.get("Entrypoint") or ()
    with _looking(engine, image) as look:
        Programs(look).require_machine(calls, entrypoint=entrypoint, path=path)


@contextmanager
def _looking(engine: Engine, image: str) -> Iterator[Lookup]:
    """What stands where in a container of the image that is never started."""
    name = f"proctor-look-{uuid.uuid4()}"
    with translate("looking into an image"):
        engine.raw.look(image, name)
    try:
        yield lambda path: _entry(engine, name, path)
    finally:
        engine.remove_container(name)


def _entry(engine: Engine, container: str, path: str) -> Entry | None:
    with translate("looking into an image"):
        try:
            with engine.raw.read(container, f"/{path}") as stream, suppress(ArchiveInvalid):
                return first_entry(stream, path)  # what cannot be read is left to the run
        except EngineRefused as error:
            if not error.is_missing:
                raise
    return None
