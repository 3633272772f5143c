"""OpenStack Swift on this machine: account, container and object servers and the proxy with its S3 API, in one process.

`python -m tests.blobs.swift_server FOLDER PORT AHEAD`: everything lies in FOLDER, and the S3 API answers at PORT of
127.0.0.1 to the account "test:tester" with the key "testing". It checks signatures, digests and the asker's clock; its
own is AHEAD by so many seconds.
"""

import socket
import sys
import time
from pathlib import Path
from typing import Any

import eventlet
from eventlet import wsgi
from swift.common import utils
from swift.common.ring import RingBuilder

utils.eventlet_monkey_patch()
_PROXY = """
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
paste.filter_factory = tests.blobs.swift_server:remembering
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
"""


class _Memory(dict[str, Any]):
    """As much of memcached as Swift's own middleware asks for."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        self[key] = value

    def get(self, key: str, default: Any = None, **_: Any) -> Any:
        return super().get(key, default)

    def incr(self, key: str, delta: int = 1, **_: Any) -> int:
        self[key] = int(super().get(key, 0)) + delta
        return int(self[key])

    def delete(self, key: str, **_: Any) -> None:
        self.pop(key, None)


def remembering(*_: Any, **__: Any) -> Any:
    """The filter that the pipeline calls its cache; it forgets everything at once, for tests change behind its back."""

    def around(app: Any) -> Any:
        def answer(env: dict[str, Any], start: Any) -> Any:
            env["swift.cache"] = _Memory()
            return app(env, start)

        return answer

    return around


def _listening() -> socket.socket:
    return eventlet.listen(("127.0.0.1", 0), backlog=200)


def _ring(folder: Path, name: str, port: int) -> None:
    builder = RingBuilder(4, 1, 1)
    builder.add_dev(
        {"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "disk", "weight": 1.0}
    )
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{name}.ring.gz"))


def _storage(folder: Path) -> None:
    """The three servers behind the proxy, each with its ring."""
    from swift.account.server import AccountController
    from swift.container.server import ContainerController
    from swift.obj.server import ObjectController

    (folder / "devices" / "disk").mkdir(parents=True)
    conf = {"devices": str(folder / "devices"), "mount_check": "false", "swift_dir": str(folder)}
    conf |= {"disable_fallocate": "true", "bind_ip": "127.0.0.1"}
    kinds = (("account", AccountController), ("container", ContainerController), ("object", ObjectController))
    ports = {name: _listening() for name, _ in kinds}
    for name, _ in kinds:
        _ring(folder, name, ports[name].getsockname()[1])
    for name, kind in kinds:
        app = kind(conf | {"bind_port": str(ports[name].getsockname()[1])})
        eventlet.spawn(wsgi.server, ports[name], app, log_output=False)


def main(folder: Path, port: int, ahead: float) -> None:
    """Serves until it is killed."""
    now = time.time
    time.time = lambda: now() + ahead
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = s\n[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    utils.set_swift_dir(str(folder))
    _storage(folder)
    (folder / "proxy.conf").write_text(_PROXY.format(folder=folder))
    from swift.common.wsgi import loadapp

    app = loadapp(str(folder / "proxy.conf"), global_conf={"log_name": "proxy"})
    wsgi.server(eventlet.listen(("127.0.0.1", port), backlog=200), app, log_output=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
