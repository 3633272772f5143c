"""The image of the skeleton that `proctor init` writes, built exactly as a participant builds it."""

import hashlib
import subprocess
import tempfile
from pathlib import Path

from client.begun import begin
from demo.images._cache import cache_dir, forget_older, locked


def build_skeleton_image(task: str, base: str, *, engine_cli: str = "docker") -> Path:
    """Archive of the skeleton of a task of FOMO26 on `base`; from the cache while what is written is the same.

    `task` is one whose program needs no packages.

    Raises:
        subprocess.CalledProcessError: the engine failed.
    """
    with locked("skeleton"), tempfile.TemporaryDirectory(prefix="proctor-skeleton-") as name:
        folder = Path(name) / "skeleton"
        begin(folder, task, None, None, template="skeleton", invoke=True)
        target = cache_dir() / f"skeleton-{_fingerprint(folder, base)}.tar"
        if not target.exists():
            tag, part = "proctor-skeleton:latest", target.with_suffix(".part")
            words = ["--quiet", "--network=none", "--build-arg", f"BASE={base}", "--tag", tag]
            subprocess.run([engine_cli, "build", *words, str(folder)], check=True, capture_output=True)
            subprocess.run([engine_cli, "save", "--output", str(part), tag], check=True, capture_output=True)
            part.rename(target)
            forget_older("skeleton", target)
        return target


def _fingerprint(folder: Path, base: str) -> str:
    digest = hashlib.sha256(base.encode())
    for name in ("Dockerfile", "predict.py"):
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()[:16]
