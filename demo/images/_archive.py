"""Image archives in the layout of `docker save`, written directly: one layer on top of the base's layers.

No engine is asked, so a tiny image takes as long as copying the base once.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from demo.images._cache import cache_dir, forget_older, locked


def build_image(
    files: Mapping[str, bytes],
    base: str,
    *,
    name: str,
    env: Mapping[str, str] | None = None,
    user: str = "",
    cmd: Sequence[str] | None = None,
    entrypoint: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    engine_cli: str = "docker",
) -> Path:
    """Archive of an image: `base` plus `files` (absolute path in the image → content, mode 0755).

    The same arguments give the same bytes, from the cache when they were built before. `name` becomes the
    tag `name:latest` in the archive; `env`, `user`, `cmd`, `entrypoint` and `labels` replace those of the base.

    Raises:
        subprocess.CalledProcessError: the engine does not know `base`.
    """
    folder = _unpacked(base, engine_cli)
    layer = _layer(files)
    config = json.loads((folder / "config.json").read_bytes())
    _configure(config, env=env or {}, user=user, cmd=cmd, entrypoint=entrypoint)
    if labels:
        config["config"]["Labels"] = dict(labels)
    config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(layer).hexdigest())
    config["history"] = [*config.get("history", []), {"created": "1970-01-01T00:00:00Z", "created_by": name}]
    text = json.dumps(config, sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()
    target = cache_dir() / f"{name}-{digest[:16]}.tar"
    if not target.exists():
        _write(target, name, digest, text, folder, layer)
        forget_older(name, target)
    return target


def _configure(
    config: dict[str, Any],
    *,
    env: Mapping[str, str],
    user: str,
    cmd: Sequence[str] | None,
    entrypoint: Sequence[str] | None,
) -> None:
    inner = config["config"]
    kept = [line for line in inner.get("Env") or [] if line.split("=", 1)[0] not in env]
    inner["Env"] = kept + [f"{key}={value}" for key, value in sorted(env.items())]
    inner["User"] = user
    if cmd is not None:
        inner["Cmd"] = list(cmd)
    if entrypoint is not None:
        inner["Entrypoint"] = list(entrypoint)


def _layer(files: Mapping[str, bytes]) -> bytes:
    """An uncompressed layer; times and owners are zero, so equal files give an equal digest."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in sorted(files.items()):
            _add(tar, path.lstrip("/"), io.BytesIO(content), len(content))
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o755
    tar.addfile(member, content)


def _write(target: Path, name: str, digest: str, config: bytes, base: Path, layer: bytes) -> None:
    diff_ids = [item.removeprefix("sha256:") for item in json.loads(config)["rootfs"]["diff_ids"]]
    manifest = {
        "Config": f"{digest}.json",
        "RepoTags": [f"{name}:latest"],
        "Layers": [f"{item}/layer.tar" for item in diff_ids],
    }
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part") as part:
        with tarfile.open(fileobj=part, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            text = json.dumps([manifest]).encode()
            _add(tar, "manifest.json", io.BytesIO(text), len(text))
            _add(tar, f"{digest}.json", io.BytesIO(config), len(config))
            for item in dict.fromkeys(diff_ids[:-1]):
                with (base / item).open("rb") as stored:
                    _add(tar, f"{item}/layer.tar", stored, os.fstat(stored.fileno()).st_size)
            _add(tar, f"{diff_ids[-1]}/layer.tar", io.BytesIO(layer), len(layer))
        part.flush()
        # A copy of the name, not a rename: the temporary file removes its own name when it closes.
        target.unlink(missing_ok=True)
        os.link(part.name, target)


def _unpacked(base: str, engine_cli: str) -> Path:
    """The base as one folder of the cache: `config.json` and its layers, uncompressed, by digest."""
    asked = [engine_cli, "image", "inspect", "--format", "{{.Id}}", base]
    image_id = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    folder = cache_dir() / f"base-{image_id.removeprefix('sha256:')[:16]}"
    with locked("unpack"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="unpack-") as scratch:
                part = Path(scratch) / "part"
                _unpack(base, engine_cli, Path(scratch) / "saved.tar", part)
                part.rename(folder)
    return folder


def _unpack(base: str, engine_cli: str, archive: Path, folder: Path) -> None:
    folder.mkdir()
    subprocess.run([engine_cli, "save", "-o", str(archive), base], check=True, capture_output=True)
    with tarfile.open(archive) as tar:
        manifest = json.loads(_read(tar, "manifest.json").read())[0]
        config = _read(tar, manifest["Config"]).read()
        (folder / "config.json").write_bytes(config)
        diff_ids = json.loads(config)["rootfs"]["diff_ids"]
        for diff_id, name in zip(diff_ids, manifest["Layers"], strict=True):
            with (folder / diff_id.removeprefix("sha256:")).open("wb") as out:
                shutil.copyfileobj(_uncompressed(_read(tar, name)), out, 1 << 20)


def _read(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    member = tar.extractfile(name)
    if member is None:
        raise ValueError("the engine saved an archive with a directory where a file belongs")
    return member


def _uncompressed(stream: IO[bytes]) -> IO[bytes] | gzip.GzipFile:
    """Engines that keep pulled blobs save them gzipped; digests are of the plain bytes."""
    magic = stream.read(2)
    stream.seek(0)
    return gzip.GzipFile(fileobj=stream) if magic == b"\x1f\x8b" else stream
