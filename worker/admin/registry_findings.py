"""What `doctor` says of the registry that people push images to: that it answers, and that its tokens can be signed."""

import os
from collections.abc import Iterator

from worker.admin.findings import DoctorFinding, FindingState

_SUBJECT = "registry"
_PATIENCE = 10.0  # seconds


def push_registry() -> Iterator[DoctorFinding]:
    """Where REGISTRY_URL is set: the key, and what the registry answers to somebody who shows no token."""
    if not os.environ.get("REGISTRY_URL"):
        return
    from pydantic import ValidationError  # only where there is a registry: `doctor` answers at once elsewhere

    from server.registry.remote import lets_delete
    from server.registry.signing import check_key  # hosts of run workers have no server
    from server.settings import RegistrySettings
    from server.words import words

    try:
        settings = RegistrySettings()
    except ValidationError as error:
        said = words(error.errors()[0])
        yield _failed(said, "Correct the setting; docs/operations.md.")
        return
    address = settings.registry_inside or settings.registry_url or ""
    try:
        check_key(settings)
    except (OSError, ValueError) as error:
        remedy = "Until then nobody can push, and nothing that was pushed is fetched."
        yield _failed(f"the key that signs its tokens cannot be used: {error}", remedy)
        yield _asked(address)
        return
    asked = _asked(address)
    yield asked
    if asked.state is FindingState.OK and not lets_delete(settings):
        yield _failed(
            f"{address} does not let manifests be deleted, so all that was pushed stays on its disk",
            "Set storage.delete.enabled in its configuration: docs/operations.md, A registry.",
        )


def _asked(address: str) -> DoctorFinding:
    import httpx

    try:
        # Past any proxy, as a score worker asks it.
        answer = httpx.get(f"{address.rstrip('/')}/v2/", timeout=_PATIENCE, trust_env=False)
    except httpx.HTTPError as error:
        said = f"{address} does not answer ({type(error).__name__})"
        return _failed(said, "Start it, or correct REGISTRY_URL or PROCTOR_REGISTRY_INSIDE.")
    sent = answer.headers.get("WWW-Authenticate", "")
    if answer.status_code != httpx.codes.UNAUTHORIZED or not sent.startswith("Bearer "):
        said = f"{address} answers {answer.status_code} to whoever shows no token"
        return _failed(said, "Have it take our tokens alone: docs/operations.md, A registry.")
    return DoctorFinding(_SUBJECT, FindingState.OK, f"{address} answers, and asks for a token of this server")


def _failed(said: str, remedy: str) -> DoctorFinding:
    return DoctorFinding(_SUBJECT, FindingState.FAIL, said, remedy)
