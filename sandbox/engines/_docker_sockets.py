"""Docker's client over a socket of this host that leaves nothing open where no engine answers.

The library's own connection forgets its socket where it cannot connect: nobody closes it, and Python says so wherever
it is found, long after.
"""

import contextlib
import socket
from typing import Any

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

from docker import APIClient


def api_client(**settings: Any) -> APIClient:
    """A client of the library, `settings` as its own."""
    client: Any = APIClient(**settings)
    adapter = client.adapters.get("http+docker://")
    if isinstance(adapter, UnixHTTPAdapter):
        client._custom_adapter = _Adapter(adapter.socket_path, adapter.timeout)
        client.mount("http+docker://", client._custom_adapter)
    made: APIClient = client
    return made


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        with contextlib.ExitStack() as closing:
            made = closing.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            made.settimeout(self.timeout)
            made.connect(self.unix_socket)
            closing.pop_all()
        self.sock = made


class _Pool(UnixHTTPConnectionPool):
    timeout: Any

    def _new_conn(self) -> Any:  # its declared kinds of connection lack this one
        return _Connection(self.base_url, self.socket_path, self.timeout)


class _Adapter(UnixHTTPAdapter):
    def get_connection(self, url: Any, proxies: Any = None) -> UnixHTTPConnectionPool:
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = self.pools[url] = _Pool(
                    url, self.socket_path, self.timeout, maxsize=self.max_pool_size
                )
        return pool
