"""Where a process shows its figures to Prometheus: a listener of its own, apart from what it serves to others."""

from collections.abc import Callable, Iterable
from typing import Annotated

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import Collector
from pydantic import AfterValidator, BeforeValidator

_log = structlog.get_logger()
_PORTS = range(1, 65536)


def _checked(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) not in _PORTS:
        raise ValueError("is no address: write HOST:PORT, such as 127.0.0.1:9100")
    return address


MetricsAddress = Annotated[
    Annotated[str, AfterValidator(_checked)] | None, BeforeValidator(lambda given: given or None)
]
"""HOST:PORT; None, or empty in an environment: figures are shown nowhere."""


class _All(Collector):
    """What this process counts, and what it looks up when it is asked."""

    def __init__(self, looked_up: Iterable[Collector]) -> None:
        self._looked_up = tuple(looked_up)

    def collect(self) -> Iterable[Metric]:
        """Every figure, as it is now."""
        yield from REGISTRY.collect()
        for collector in self._looked_up:
            yield from collector.collect()


def listen(address: str | None, *looked_up: Collector) -> Callable[[], None]:
    """Shows the figures of this process at `address` from now on; returns what ends that.

    An address that cannot be taken is an error in the log and nothing else: figures stop no work.
    """
    if address is None:
        return lambda: None
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(_All(looked_up))
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        _log.error("metrics_not_shown", address=address, why=error.strerror)
        return lambda: None

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
