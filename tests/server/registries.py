"""Debian's container registry, before which the server stands as the authority of its tokens; and what pushes."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr
from sqlalchemy import update

from contract.statuses import UploadStatus
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.settings import Settings
from server.uploads.models import Upload
from tests.server.conftest import serving
from tests.server.proxied import free_ports

ROOT = Path(__file__).parents[2]
EXAMPLE = "https://challenge.example"
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


def empty_queue(sessions: SessionFactory) -> None:
    """Sees to it that nothing which another test left waits to be fetched or checked."""
    with unit_of_work(sessions) as session:
        open_ = Upload.status.in_((UploadStatus.RECEIVING, UploadStatus.CHECKING))
        session.execute(update(Upload).where(open_).values(status=UploadStatus.REJECTED))


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
def registry(
    folder: Path,
    port: int,
    server: str,
    *,
    tells: bool = True,
    config: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """The registry alone, at `port`, of a server with the key of `folder`; as documented, or of `config` and `env`."""
    file = folder / "config.yml"
    file.write_text(json.dumps(config or of_docs(folder, port, server, tells=tells)))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", file], stdout=log, stderr=log, env=os.environ | dict(env or {})
        )
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


def of_docs(folder: Path, port: int, server: str, *, tells: bool = True) -> dict[str, Any]:
    """What docs/operations.md shows, with the addresses, paths and secrets of these tests."""
    text = (ROOT / "docs" / "operations.md").read_text().partition("## A registry\n")[2]
    config: dict[str, Any] = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    config["log"] = {"level": "warn"}
    config["storage"]["filesystem"]["rootdirectory"] = str(folder / "store")
    config["http"] = {"addr": f"127.0.0.1:{port}", "secret": "x" * 32}
    token, (endpoint,) = config["auth"]["token"], config["notifications"]["endpoints"]
    token["realm"] = token["realm"].replace(EXAMPLE, server)
    token["rootcertbundle"] = str(folder / "registry.crt")
    endpoint["url"] = endpoint["url"].replace(EXAMPLE, server)
    endpoint["headers"]["Authorization"] = [f"Bearer {SECRET}"]
    endpoint["backoff"] = "1s"
    if not tells:
        config["notifications"]["endpoints"] = []
    return config


def of_compose(folder: Path, port: int, server: str) -> dict[str, str]:
    """The environment that compose.yaml gives it, with the addresses, paths and secrets of these tests."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["registry"]
    changed = {
        "${PROCTOR_REGISTRY_SECRET:-}": SECRET,
        "${PROCTOR_PUBLIC_URL:-}": server,
        "http://server:8426": server,
        "/var/lib/registry": str(folder / "store"),
        "/run/registry.crt": str(folder / "registry.crt"),
        ":5000": f"127.0.0.1:{port}",
        "backoff: 10s": "backoff: 1s",
    }
    told = dict(service["environment"])
    for old, new in changed.items():
        assert any(old in value for value in told.values()), old
        told = {name: value.replace(old, new) for name, value in told.items()}
    return told


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
