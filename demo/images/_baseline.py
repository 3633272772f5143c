"""The template's image, built exactly as a participant builds it."""

import hashlib
from pathlib import Path

from baseline_model import build
from demo.images._cache import cache_dir, forget_older, locked


def build_baseline_image(base: str, *, engine_cli: str = "docker") -> Path:
    """Archive of the template's container on `base`; from the cache while its files are the same.

    Takes about a minute when built anew, most of it unpacking torch.

    Raises:
        subprocess.CalledProcessError: pip or the engine failed.
    """
    with locked("baseline"):
        target = cache_dir() / f"baseline-{_fingerprint(base)}.tar"
        if not target.exists():
            part = target.with_suffix(".part")
            build.build(base, "proctor-baseline:latest", save=part, engine=engine_cli)
            part.rename(target)
            forget_older("baseline", target)
    return target


def _fingerprint(base: str) -> str:
    digest = hashlib.sha256(base.encode())
    names = ("*.py", "*.pt", "requirements.txt", "Dockerfile", ".dockerignore")
    for path in sorted(path for name in names for path in build.HERE.glob(name)):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
