"""Debian's container registry, before which the server stands as the authority of its tokens; and what pushes."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from server.app import create_app
from server.settings import Settings
from tests.server.conftest import serving
from tests.server.proxied import free_ports

SECRET = "the secret of the registry of these tests"


@dataclass(frozen=True)
class Hub:
    """A registry with its server: the host that people push to, the server's API, and the server's settings."""

    host: str
    api: str
    settings: Settings

    def token(self, password: str, *scopes: str) -> httpx.Response:
        """What the token authority answers somebody who shows this password."""
        url = f"{self.api}/registry/token"
        return httpx.get(url, params={"scope": [*scopes]}, auth=("Ada", password), timeout=30)

    def skopeo(self, archive: Path, name: str, password: str) -> subprocess.CompletedProcess[str]:
        """Pushes an archive that `docker save` wrote, by skopeo."""
        return skopeo(archive, f"{self.host}/{name}", password)


def skopeo(archive: Path, name: str, password: str) -> subprocess.CompletedProcess[str]:
    """Pushes an archive to a registry without TLS."""
    flags = ["--insecure-policy", "copy", "--dest-tls-verify=false", "--dest-creds", f"Ada:{password}"]
    return run("skopeo", *flags, f"docker-archive:{archive}", f"docker://{name}")


def run(*command: str, told: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, whatever that is."""
    return subprocess.run(command, input=told, capture_output=True, text=True, timeout=60)


@contextmanager
def hub(settings: Settings, folder: Path, *, tells: bool = True) -> Iterator[Hub]:
    """A registry in `folder`; `tells`: it notifies the server of pushes."""
    (port,) = free_ports(1)
    host = f"127.0.0.1:{port}"
    key = key_in(folder)
    own = settings.model_copy(
        update={
            "registry_url": f"http://{host}",
            "registry_key": key,
            "registry_secret": SecretStr(SECRET),
        }
    )
    with serving(create_app(own)) as url, registry(folder, port, url, tells=tells):
        yield Hub(host, f"{url}/api/v1", own)


@contextmanager
def registry(folder: Path, port: int, server: str, *, tells: bool = True) -> Iterator[None]:
    """The registry alone, at `port`, of a server that has the key of `folder`."""
    config = folder / "config.yml"
    config.write_text(json.dumps(_config(folder, port, server, tells=tells)))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        _wait_for(f"127.0.0.1:{port}")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(host: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            assert httpx.get(f"http://{host}/v2/").status_code == 401
            return
        except httpx.HTTPError:
            assert time.monotonic() < deadline, "the registry does not start"
            time.sleep(0.05)


def _config(folder: Path, port: int, server: str, *, tells: bool) -> dict[str, object]:
    """As docs/operations.md has it; JSON is YAML."""
    endpoint = {
        "name": "proctor",
        "url": f"{server}/api/v1/registry/events",
        "headers": {"Authorization": [f"Bearer {SECRET}"]},
        "timeout": "5s",
        "threshold": 5,
        "backoff": "1s",
        "ignore": {"mediatypes": ["application/octet-stream"], "actions": ["pull", "mount", "delete"]},
    }
    return {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "store")},
            "delete": {"enabled": True},
            "redirect": {"disable": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "x" * 32},
        "auth": {
            "token": {
                "realm": f"{server}/api/v1/registry/token",
                "service": f"127.0.0.1:{port}",
                "issuer": "proctor",
                "rootcertbundle": str(folder / "registry.crt"),
            }
        },
        "notifications": {"endpoints": [endpoint] if tells else []},
    }


def key_in(folder: Path) -> Path:
    """A new key with its certificate in one file; the certificate alone is registry.crt beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "proctor")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "registry.crt").write_bytes(public)
    (folder / "registry.key").write_bytes(private + public)
    return folder / "registry.key"
