"""Image archives built byte by byte, good and bad."""

import hashlib
import io
import json
import tarfile
from typing import Any

Members = dict[str, bytes]


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(*members: tuple[str, bytes] | tarfile.TarInfo, format: int = tarfile.GNU_FORMAT) -> bytes:  # noqa: A002
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


LAYER = tar(("app/predict.py", b"print(1)\n"), special("app/tool", tarfile.SYMTYPE, "../usr/bin/tool"))


def config(*layers: bytes, **changes: Any) -> bytes:
    content = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": "nobody", "Env": ["PATH=/bin", "SECRET=x=y"], "Entrypoint": ["/run"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
    }
    return json.dumps(content | changes).encode()


def legacy(*layers: bytes, image: bytes | None = None, **changes: Any) -> Members:
    """The members of a `docker save` archive."""
    image = image if image is not None else config(*layers)
    names = [f"{number:064x}/layer.tar" for number in range(len(layers))]
    entry = {"Config": digest(image)[7:] + ".json", "RepoTags": ["python:3"], "Layers": names} | changes
    members = dict(zip(names, layers, strict=True)) | {digest(image)[7:] + ".json": image}
    return members | {"manifest.json": json.dumps([entry]).encode()}


def oci(*layers: bytes, image: bytes | None = None, more: tuple[dict[str, Any], ...] = ()) -> Members:
    """The members of an OCI layout; `more` are further descriptors of the index."""
    image = image if image is not None else config(*layers)
    blobs = [image, *layers]
    manifest = json.dumps(
        {"config": {"digest": digest(image)}, "layers": [{"digest": digest(layer)} for layer in layers]}
    ).encode()
    index = {"manifests": [{"digest": digest(manifest)}, *more]}
    members = {"blobs/sha256/" + digest(blob)[7:]: blob for blob in [*blobs, manifest]}
    return members | {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps(index).encode(),
    }


def together(*images: Members) -> Members:
    """The members of an archive that lists all of these images, or indexes, in the order given."""
    members = {name: data for one in images for name, data in one.items()}
    lists = [
        [json.loads(one[name]) for one in images if name in one] for name in ("manifest.json", "index.json")
    ]
    if lists[0]:
        members["manifest.json"] = json.dumps([entry for one in lists[0] for entry in one]).encode()
    if lists[1]:
        members["index.json"] = json.dumps(
            {"manifests": [one for each in lists[1] for one in each["manifests"]]}
        ).encode()
    return members


def pack(members: Members) -> bytes:
    return tar(*members.items())
