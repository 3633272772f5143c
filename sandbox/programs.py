"""The program of a call in an image that the engine has: what the check of its archive would say, without saving it."""

import io
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

from sandbox.archive import DEFAULT_PATH, ArchiveInvalid, Call, Entry, Lookup, Programs, first_entry
from sandbox.engine import Engine, translate


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
        engine.api.create_container(image, command=["-"], entrypoint=["-"], name=name, network_disabled=True)
    try:
        yield lambda path: _entry(engine, name, path)
    finally:
        engine.remove_container(name)


def _entry(engine: Engine, container: str, path: str) -> Entry | None:
    url, query = engine.api._url("/containers/{0}/archive", container), {"path": f"/{path}"}
    plain = {"Accept-Encoding": "identity"}
    with (
        translate("looking into an image"),
        engine.api._get(url, params=query, headers=plain, stream=True) as answer,
    ):
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        answer.raise_for_status()
        with suppress(ArchiveInvalid):  # what cannot be read is left to the run
            return first_entry(io.BufferedReader(answer.raw), path)
        return None
