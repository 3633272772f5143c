"""nginx and Caddy with the files of docs/examples/tls, before a server; only names, ports and paths are replaced."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "tls"
PATH = f"{os.environ['PATH']}:/usr/sbin"
PROXIES = ("nginx", "caddy")
_NGINX = """
{user} daemon off; pid nginx.pid; error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include site.conf;
}}
"""


_UNCOMMENTED = {
    f"\t# {line}\n": f"\t{line}\n"
    for line in ("request_body /v2/* {", "}", "reverse_proxy /v2/* 127.0.0.1:5000")
} | {"\t#\tmax_size": "\t\tmax_size"}


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@dataclass(frozen=True)
class Front:
    """Which proxy, its ports, and who trusts its certificate."""

    folder: Path
    proxy: str
    https: int
    http: int
    trust: ssl.SSLContext

    @classmethod
    def of(cls, folder: Path, proxy: str) -> "Front":
        """A place for one, with a certificate for 127.0.0.1."""
        _certify(folder)
        https, http = free_ports(2)
        return cls(folder, proxy, https, http, ssl.create_default_context(cafile=folder / "front.pem"))

    @property
    def url(self) -> str:
        """Where people reach the server."""
        return f"https://127.0.0.1:{self.https}"

    def client(self, *, source: str | None = None, path: str = "", **headers: str) -> httpx.Client:
        """Somebody at the address `source` of this machine."""
        wire = httpx.HTTPTransport(verify=self.trust, local_address=source)
        return httpx.Client(base_url=f"{self.url}{path}", transport=wire, headers=headers, timeout=30)

    @contextmanager
    def running(self, server: str, registry: str | None = None) -> Iterator["Front"]:
        """The proxy at work, before the server at the address `server`, and the registry at `registry`."""
        command = self._nginx(server, registry) if self.proxy == "nginx" else self._caddy(server, registry)
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "PATH": PATH}
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=home, stdout=log, stderr=log)
        try:
            self._wait(process)
            yield self
        finally:
            process.terminate()
            process.wait(20)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        ends = time.monotonic() + 30
        while time.monotonic() < ends and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.https), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def _nginx(self, server: str, registry: str | None) -> list[str]:
        example = _replaced(
            "nginx.conf",
            {
                "    listen [::]:443 ssl http2;\n": "",
                "    listen [::]:80;\n": "",
                "listen 443 ssl": f"listen 127.0.0.1:{self.https} ssl",
                "listen 80;": f"listen 127.0.0.1:{self.http};",
                "server 127.0.0.1:8426;": f"server {server};",
                "https://challenge.example": self.url,
                "server_name challenge.example": "server_name 127.0.0.1",
                "/etc/letsencrypt/live/challenge.example/fullchain.pem": str(self.folder / "front.pem"),
                "/etc/letsencrypt/live/challenge.example/privkey.pem": str(self.folder / "front.key"),
                "/var/log/nginx/proctor.log": str(self.folder / "access.log"),
            }
            | ({"# include snippets/registry.conf;": "include registry.conf;"} if registry else {}),
        )
        if registry:
            (self.folder / "registry.conf").write_text(
                _replaced("registry.conf", {"127.0.0.1:5000": registry})
            )
        (self.folder / "site.conf").write_text(example)
        user = "user root;" if os.getuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(_NGINX.format(user=user))
        program = shutil.which("nginx", path=PATH)
        assert program is not None, "scripts/proxies installs nginx"
        return [program, "-p", str(self.folder), "-c", "nginx.conf", "-e", "stderr"]

    def _caddy(self, server: str, registry: str | None) -> list[str]:
        tls = f"\ttls {self.folder / 'front.pem'} {self.folder / 'front.key'}\n"
        example = _replaced(
            "Caddyfile",
            {
                "\nchallenge.example {\n": f"\n127.0.0.1:{self.https} {{\n\tbind 127.0.0.1\n{tls}",
                "reverse_proxy 127.0.0.1:8426 {": f"reverse_proxy {server} {{",
            }
            | (_UNCOMMENTED | {"127.0.0.1:5000": registry} if registry else {}),
        )
        options = f"{{\n\tadmin off\n\thttp_port {self.http}\n\thttps_port {self.https}\n}}\n"
        (self.folder / "Caddyfile").write_text(options + example)
        return ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"]


def _replaced(name: str, values: dict[str, str]) -> str:
    text = (EXAMPLES / name).read_text()
    for old, new in values.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def _certify(folder: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=127.0.0.1")
    at = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=1))
        .not_valid_after(at + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "front.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    (folder / "front.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
