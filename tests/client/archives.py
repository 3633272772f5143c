"""A small image archive as `docker save` writes it."""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

PATH_LABEL, SHA256_LABEL = "proctor.checkpoint.path", "proctor.checkpoint.sha256"


def image_archive(
    path: Path,
    *,
    noise: int = 0,
    architecture: str = "amd64",
    environment: Sequence[str] = (),
    declares: bytes | None = None,
    holds: bytes = b"",
) -> str:
    """Writes the archive of an image of one layer with `noise` bytes in it and returns its digest.

    declares: the checkpoint that its labels tell of; holds: the file that is there.
    """
    seed = path.name.encode()
    content = b"".join(hashlib.sha512(seed + str(block).encode()).digest() for block in range(noise // 64))
    weights = {"app/w.pt": holds or declares} if declares else {}
    layer = _tar({"app/predict.py": b"print(1)\n", "app/noise": content, **weights})
    labels = {PATH_LABEL: "/app/w.pt", SHA256_LABEL: hashlib.sha256(declares).hexdigest()} if declares else {}
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": ({"Env": list(environment)} if environment else {})
        | ({"Labels": labels} if labels else {}),
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    text = json.dumps(config).encode()
    digest = hashlib.sha256(text).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    members = {"layer.tar": layer, f"{digest}.json": text, "manifest.json": json.dumps(manifest).encode()}
    path.write_bytes(_tar(members))
    return f"sha256:{digest}"


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()
