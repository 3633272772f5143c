"""Docker from 20.10 on, and whatever else answers in its API. No other module knows its client library."""

import contextlib
import functools
import io
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, Self, TypeVar, cast

import requests
import urllib3
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from sandbox.engines._answers import OLDEST_API, container_state, load_error, path_stat, spoken
from sandbox.engines._docker_sockets import api_client
from sandbox.engines._errors import EngineRefused, EngineSilent, EngineSlow
from sandbox.engines._protocol import Attached, ContainerState, ListedContainer, PathStat

_LOAD_SECONDS = 3600
_P = ParamSpec("_P")
_R = TypeVar("_R")


@contextmanager
def ours() -> Iterator[None]:
    """Turns the exceptions of the client library into ours."""
    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        raise EngineRefused(error.status_code or HTTPStatus.INTERNAL_SERVER_ERROR, said) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise EngineSlow(str(error)) from error
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise EngineSilent(str(error)) from error


def asks(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """A method that asks the engine something, and raises what `sandbox.engines` says."""

    @functools.wraps(method)
    def asked(*arguments: _P.args, **named: _P.kwargs) -> _R:
        with ours():
            return method(*arguments, **named)

    return asked


class DockerEngine:
    """A `ContainerEngine` behind a socket that speaks Docker's API."""

    kind = "docker"
    needs_root = False
    takes_disks = True
    knows_layers = True

    def __init__(self, api: Any, slow: Any, parts: Collection[str] = ()) -> None:
        self._api, self._slow = api, slow  # their stubs lack half of the calls
        self.timeout = float(api.timeout)
        self.parts = frozenset(parts)
        """The names of the programs that answer here."""

    @classmethod
    def connect(cls, address: str | None = None, *, timeout: int = 60) -> Self:
        """Connect to `address`, else to what `DOCKER_HOST` and its like name, else to the default socket."""
        with ours():
            where: Any = kwargs_from_env() if address is None else {"base_url": address}
            said = answered(where, timeout)
            version = spoken(str(said["ApiVersion"]), said.get("MinAPIVersion"))
            return cls(
                api_client(**where, version=version, timeout=timeout),
                api_client(**where, version=version, timeout=_LOAD_SECONDS),
                [str(part.get("Name")) for part in said.get("Components") or ()],
            )

    @property
    def connections(self) -> tuple[Any, Any]:
        """The clients behind this engine: for what is asked, and for what may take an hour."""
        return self._api, self._slow

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._slow.close()

    @asks
    def ping(self) -> None:
        """Return if the engine answers."""
        self._api.ping()

    @asks
    def info(self) -> dict[str, Any]:
        """What the engine says of itself and of its host."""
        return cast(dict[str, Any], self._api.info())

    @asks
    def inspect_image(self, image: str) -> dict[str, Any]:
        """The description of an image."""
        return cast(dict[str, Any], self._api.inspect_image(image))

    @asks
    def load(self, archive: BinaryIO) -> str | None:
        """Take an archive; what the engine says where that fails, in the stream of an answer that began well too."""
        # To the end of the answer: where nobody reads it, its connection is never closed.
        problems = [load_error(line) for line in self._slow.load_image(archive, quiet=True)]
        return next((problem for problem in problems if problem is not None), None)

    @asks
    def remove_image(self, image: str, *, force: bool = False) -> None:
        """Remove an image."""
        self._api.remove_image(image, force=force)

    @asks
    def create(self, config: Mapping[str, Any], name: str) -> str:
        """Make a container; its id."""
        return str(self._api.create_container_from_config(dict(config), name=name)["Id"])

    def fill(self, container: str, disks: Mapping[str, Path]) -> None:
        """Nothing is left to do: Docker copies it when it makes a container."""

    @asks
    def look(self, image: str, name: str) -> None:
        """Make a container that nobody will start."""
        self._api.create_container(image, command=["-"], entrypoint=["-"], name=name, network_disabled=True)

    @asks
    def start(self, container: str) -> None:
        """Start it."""
        self._api.start(container)

    @asks
    def wait(self, container: str, seconds: float | None = None) -> int:
        """Its exit code."""
        return int(self._api.wait(container, timeout=seconds)["StatusCode"])

    @asks
    def kill(self, container: str) -> None:
        """SIGKILL."""
        self._api.kill(container)

    @asks
    def pause(self, container: str) -> None:
        """Let none of its processes run."""
        self._api.pause(container)

    @asks
    def unpause(self, container: str) -> None:
        """Let them run again."""
        self._api.unpause(container)

    @asks
    def remove(self, container: str) -> None:
        """Kill and remove it."""
        self._api.remove_container(container, v=True, force=True)

    @asks
    def state(self, container: str) -> ContainerState:
        """How it is."""
        return container_state(self._api.inspect_container(container))

    @asks
    def attach(self, container: str) -> Attached:
        """Its standard input and output."""
        stream = self._api.attach_socket(container, params={"stdin": 1, "stdout": 1, "stream": 1})
        inner = getattr(stream, "_sock", stream)

        def close() -> None:
            stream.close()  # it has to live as long as the socket inside
            inner.close()

        return Attached(inner, close)

    @asks
    def logs(self, container: str, tail: int) -> bytes:
        """The last `tail` bytes of what it wrote."""
        text = bytearray()
        for chunk in self._api.logs(container, stream=True, follow=False):
            text += chunk
            del text[: max(0, len(text) - tail)]
        return bytes(text)

    @asks
    def stat(self, container: str, path: str) -> PathStat | None:
        """What stands at a path; None where there is nothing."""
        api = self._api
        where, query = api._url("/containers/{0}/archive", container), {"path": path}
        answer = api.head(where, params=query, timeout=api.timeout)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code != HTTPStatus.OK:  # only a full answer says why
            api._raise_for_status(api.get(where, params=query, stream=True, timeout=api.timeout))
        return path_stat(answer.headers["X-Docker-Container-Path-Stat"])

    @contextmanager
    def read(self, container: str, path: str) -> Iterator[BinaryIO]:
        """What stands at a path, as a tar; no more of it is read than the caller does."""
        where, plain = self._api._url("/containers/{0}/archive", container), {"Accept-Encoding": "identity"}
        with (
            ours(),
            contextlib.closing(
                self._api._get(where, params={"path": path}, headers=plain, stream=True)
            ) as answer,
        ):
            self._api._raise_for_status(answer)
            yield io.BufferedReader(answer.raw)

    @asks
    def write(self, container: str, archive: bytes) -> None:
        """Unpack a tar at its root."""
        self._api.put_archive(container, "/", archive)

    @asks
    def written(self, container: str) -> int:
        """Bytes in its writable layer."""
        where = self._api._url("/containers/{0}/json", container)  # its own inspect cannot ask for the size
        answer = self._api._get(where, params={"size": True})
        self._api._raise_for_status(answer)
        return int(answer.json().get("SizeRw") or 0)

    @asks
    def was_killed(self, container: str, since: float, until: float) -> bool:
        """Whether anybody told the engine to kill it."""
        wanted = {"container": container, "event": "kill"}
        began, ended = self._span(since, until)
        events = list(self._api.events(since=began, until=ended, filters=wanted, decode=True))
        return bool(events)  # all were read: else the connection would stay open

    def _span(self, since: float, until: float) -> tuple[int | str, int | str]:
        """Two times as its events take them."""
        return f"{since:.3f}", f"{until:.3f}"

    def group(self, container: str) -> str:
        """The name of its control group below the parent that it was given."""
        return container

    @asks
    def containers(self) -> list[ListedContainer]:
        """All containers."""
        return [
            ListedContainer(name.lstrip("/"), str(one["State"]))
            for one in self._api.containers(all=True)
            for name in one["Names"] or ()
        ]

    @asks
    def volumes(self) -> list[str]:
        """The names of all volumes."""
        return [str(volume["Name"]) for volume in self._api.volumes()["Volumes"] or ()]

    @asks
    def remove_volume(self, volume: str) -> None:
        """Remove a volume."""
        self._api.remove_volume(volume)


def answered(where: dict[str, Any], timeout: int) -> dict[str, Any]:
    """What the engine there says of its versions, asked in no version."""
    probe = api_client(**where, version=OLDEST_API, timeout=timeout)
    with contextlib.closing(probe):
        return dict(probe.version(api_version=False))
