"""Small images: what Python needs of the base image, and one program."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import IO

from demo.images import build_image
from tests.hostile.images import tar_of
from worker.embedded.data import CHECKOUT

_LEFT_OUT = (
    "dist-packages/",
    "site-packages/",
    "share/",
    "perl",
    "gconv/",
    "apt",
    "dpkg",
    "pydoc_data/",
    "idlelib/",
    "lib2to3/",
    "usr/sbin/",
    "var/",
)
"""Parts of paths that Python without packages does without: 200 MB become 60."""


def small_image(
    script: Path, base: str, target: Path, *environment: str, checkpoint: bytes | None = None
) -> Path:
    """An archive of `base` without its packages, with `script` as /app/predict.py and these variables.

    It holds and declares a checkpoint as an image of the template does, where one is given.
    """
    files = {"/app/predict.py": script.read_bytes()}
    labels: dict[str, str] = {}
    if checkpoint is not None:
        labels = template_labels(hashlib.sha256(checkpoint).hexdigest())
        files[labels["proctor.checkpoint.path"]] = checkpoint
    whole = build_image(files, base, name=f"proctor-e2e-{script.stem}")
    with tarfile.open(whole) as archive:
        manifest = json.loads(_read(archive, "manifest.json").read())[0]
        config = json.loads(_read(archive, manifest["Config"]).read())
        layers = [_without(_read(archive, name)) for name in manifest["Layers"]]
    config["config"]["Env"] += environment
    if labels:
        config["config"]["Labels"] = labels
    config["rootfs"]["diff_ids"] = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config.pop("history", None)
    text = json.dumps(config, sort_keys=True).encode()
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    digest = hashlib.sha256(text).hexdigest()
    listed = [{"Config": f"{digest}.json", "RepoTags": ["small:latest"], "Layers": names}]
    members = {"manifest.json": json.dumps(listed).encode(), f"{digest}.json": text}
    target.write_bytes(tar_of(members | dict(zip(names, layers, strict=True))))
    return target


def template_labels(sha256: str) -> dict[str, str]:
    """The labels that the template's Dockerfile gives an image whose checkpoint has this digest."""
    lines = (CHECKOUT / "baseline_model" / "Dockerfile").read_text().splitlines()
    line = next(line for line in lines if line.startswith("LABEL proctor.checkpoint."))
    pairs = line.removeprefix("LABEL ").replace("$CHECKPOINT_SHA256", sha256).split()
    return dict(pair.split("=", 1) for pair in pairs)


def digest_of(archive: Path) -> str:
    """The id of the image in an archive, without its "sha256:"."""
    with tarfile.open(archive) as tar:
        manifest = json.loads(_read(tar, "manifest.json").read())
    return str(manifest[0]["Config"].removesuffix(".json"))


def _read(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.extractfile(name)
    assert member is not None
    return member


def _without(layer: IO[bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=layer) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            if not any(part in member.name for part in _LEFT_OUT):
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return out.getvalue()
