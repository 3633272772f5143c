"""Tokens that the registry goes by (https://distribution.github.io/distribution/spec/auth/jwt/), signed by us."""

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc import jwt
from joserfc.jwk import ECKey

from server.settings import RegistrySettings

ISSUER = "proctor"
SERVICE = "proctor"
"""What the registry calls itself in its challenge; the tokens are for that."""
LASTS = 300
"""Seconds for which a token works: as long as whoever loses the right to push keeps it at most."""
OURS = "proctor"
"""Whom the registry takes the platform itself for; people are known by their ids."""


@dataclass(frozen=True)
class Grant:
    """What may be done with a thing of the registry's: a repository, or its catalog."""

    kind: str
    name: str
    actions: tuple[str, ...]


def sign(settings: RegistrySettings, subject: str, grants: Sequence[Grant]) -> str:
    """A token for `subject`, which the registry lets do what `grants` say and nothing else.

    Raises:
        OSError, ValueError: the file that PROCTOR_REGISTRY_KEY names cannot be read, or holds no such key.
    """
    key, certificate = _key_of(settings)
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": subject,
        "aud": SERVICE,
        "exp": now + LASTS,
        "nbf": now - 10,
        "iat": now,
        "jti": str(uuid4()),
        "access": [{"type": grant.kind, "name": grant.name, "actions": [*grant.actions]} for grant in grants],
    }
    header: Mapping[str, object] = {"alg": "ES256", "typ": "JWT", "x5c": [certificate]}
    return jwt.encode(dict(header), claims, key, algorithms=["ES256"])


def check_key(settings: RegistrySettings) -> None:
    """Requires that tokens can be signed.

    Raises:
        OSError, ValueError: as of `sign`.
    """
    _key_of(settings)


def _key_of(settings: RegistrySettings) -> tuple[ECKey, str]:
    if settings.registry_key is None:
        raise ValueError("there is no PROCTOR_REGISTRY_KEY")
    return _read(settings.registry_key, settings.registry_key.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, _changed: int) -> tuple[ECKey, str]:
    """The key in a file, and its certificate; a file that was changed is read anew."""
    pem = path.read_bytes()
    key = load_pem_private_key(pem, None)
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ValueError("PROCTOR_REGISTRY_KEY has to be an elliptic key on P-256, see docs/operations.md")
    certificate = x509.load_pem_x509_certificate(pem)
    if certificate.public_key() != key.public_key():
        raise ValueError("the certificate in PROCTOR_REGISTRY_KEY is another key's")
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ECKey.import_key(plain), base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
