"""Images that misbehave, as `docker save` archives: for the tests of the sandbox and of the whole platform."""

import hashlib
import io
import json
import tarfile
import tempfile
from pathlib import Path

from demo.images import build_image

SCRIPT = Path(__file__).with_name("predict.py")
TRICKS = Path(__file__).with_name("tricks.py")
BY_TRACK = "by_track"
NO_PYTHON = "no_python"


def build(behaviour: str, base: str) -> Path:
    """A `docker save` archive of an image on `base` that shows one behaviour of `predict.py`.

    `by_track` makes the image that takes its behaviour from `PROCTOR_TRACK`; `no_python` one that has no program
    at all, whatever the base.
    """
    if behaviour == NO_PYTHON:
        return bare_image({"app/predict.py": SCRIPT.read_bytes()})
    env = {} if behaviour == BY_TRACK else {"BEHAVIOUR": behaviour}
    name = f"proctor-hostile-{behaviour.replace('_', '-')}"
    return build_image({"/app/predict.py": SCRIPT.read_bytes()}, base, name=name, env=env)


def build_all(base: str) -> Path:
    """The image that takes its behaviour, of `predict.py` or of `tricks.py`, from `PROCTOR_TRACK`."""
    files = {
        "/app/predict.py": TRICKS.read_bytes(),
        "/app/tests/hostile/predict.py": SCRIPT.read_bytes(),
    }
    return build_image(files, base, name="proctor-hostile-all")


def bare_image(files: dict[str, bytes], **config: object) -> Path:
    """An archive of an image of one layer with nothing but `files`; `config` is merged into its configuration."""
    layer = tar_of(files)
    settings = {"Env": ["PATH=/usr/bin:/bin"], **config}
    text = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        },
        sort_keys=True,
    ).encode()
    digest = hashlib.sha256(text).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": ["bare:latest"], "Layers": ["layer/layer.tar"]}]
    target = Path(tempfile.gettempdir()) / f"proctor-bare-{digest[:16]}.tar"
    members = {
        "manifest.json": json.dumps(manifest).encode(),
        f"{digest}.json": text,
        "layer/layer.tar": layer,
    }
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
        part.write(tar_of(members))
    return Path(part.name).replace(target)  # another process may read it now


def reconfigured(archive: Path, target: Path, **config: object) -> Path:
    """`archive` with `config` merged into the image's configuration (`Volumes`, say), written to `target`."""
    with tarfile.open(archive) as old:
        members = {member.name: _content(old, member) for member in old if member.isfile()}
    manifest = json.loads(members.pop("manifest.json"))
    settings = json.loads(members.pop(manifest[0]["Config"]))
    settings["config"] |= config
    text = json.dumps(settings, sort_keys=True).encode()
    manifest[0]["Config"] = f"{hashlib.sha256(text).hexdigest()}.json"
    named = {"manifest.json": json.dumps(manifest).encode(), manifest[0]["Config"]: text}
    target.write_bytes(tar_of(named | members))
    return target


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file is not None else b""


def tar_of(files: dict[str, bytes]) -> bytes:
    """A tar with `files`, equal for equal content."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()
