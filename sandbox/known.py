"""An image that every engine takes: one static program that ends at once.

Where an engine refuses something of a participant's, this tells whether it refuses that image or everything. Its
bytes differ each time, so that no engine knows its layer already.
"""

import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from evaluator.verdicts import PlatformFault
from sandbox import elf, options
from sandbox.archive import canonical_name
from sandbox.engine import Engine
from sandbox.engines import EngineRefused, EngineSilent
from sandbox.faults import EngineFault

_PROGRAM = "/known"
_EXITS_WITH_0 = bytes.fromhex("b83c00000031ff0f05")
_SECONDS = 60


@contextmanager
def loaded(engine: Engine) -> Iterator[str]:
    """The id of a known image, which is on the engine for as long as the block runs.

    Raises:
        EngineFault: the engine does not take it, so it takes nothing.
    """
    data, digest = archive()
    try:
        said = engine.try_load(io.BytesIO(data), digest)
        if said is not None:
            text = f"the engine does not load a known image either: {said}"
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, text)
        yield digest
    finally:
        engine.remove_image(digest)


def refused(engine: Engine, config: Mapping[str, Any], name: str) -> str | None:
    """Why the engine does not run the known image with the options of `config`; None where it does.

    `name` is a container's; the one that is made here is called after it, and is gone afterwards.

    Raises:
        EngineFault: the engine does not take the image, or does not answer.
    """
    with loaded(engine) as digest:
        container, changed = f"{name}.known", options.for_another(config, digest, _PROGRAM)
        try:
            engine.raw.create(changed, container)
            engine.raw.start(container)
            code = engine.raw.wait(container, _SECONDS)
        except EngineRefused as error:
            return error.said
        except EngineSilent as error:
            text = f"trying a known image: {error}"
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, text) from error
        finally:
            engine.remove_container(container)
    return None if code == 0 else f"a known program ended with exit code {code}"


def archive() -> tuple[bytes, str]:
    """An archive for `docker load` and the id of the image in it."""
    layer = _tar({_PROGRAM[1:]: elf.program(_EXITS_WITH_0), "mark": secrets.token_bytes(16)})
    content = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [_PROGRAM]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    config = json.dumps(content).encode()
    digest = _digest(config)
    manifest = [{"Config": "config.json", "RepoTags": [canonical_name(digest)], "Layers": ["layer.tar"]}]
    members = {"manifest.json": json.dumps(manifest).encode(), "config.json": config, "layer.tar": layer}
    return _tar(members), digest


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
