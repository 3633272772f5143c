"""The suite's own image, made of what every worker has: its Python interpreter and this package.

A child of the interpreter imports the program and tells which files that took: modules, and the shared libraries
that were mapped. With the ELF loader they are the whole image, so no registry and no distribution is needed.
"""

import hashlib
import inspect
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.spec import rows
from evaluator.verdicts import PlatformFault
from sandbox import elf
from sandbox.archive import DirectorySink, check_archive, write_canonical
from sandbox.conformance.inside.privileges import SETUID_OWNER, SETUID_PROGRAM
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.loading import load_image

HOME = "/conformance"
CALL = (f"{HOME}/python", "-I", "-S", "-B", f"{HOME}/start.py")
_TEMPORARY = "/tmp"  # noqa: S108 - inside the container
_LIMIT = 512 * 2**20
_FURTHER = (
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.idna",
    "gzip",
    "zlib",
    "struct",
    "linecache",
    "traceback",
)
_ASK = """
import importlib, os, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None)
    if file and file.endswith((".py", ".so")):
        print(os.path.realpath(file))
print(os.path.realpath(sys.executable))
with open("/proc/self/maps") as maps:
    for line in maps:
        if ".so" in line and "/" in line:
            print("/" + line.rstrip().split(" /", 1)[1])
"""
_START = f"import sys\nsys.path.insert(0, {HOME!r})\nfrom inside.main import main\nmain(sys.argv[1:])\n"
# An ELF program of two calls: it exits with its effective user's number.
_EXITS_WITH_USER = bytes.fromhex("b86b0000000f0589c7b83c0000000f05")


@dataclass(frozen=True)
class _File:
    path: str
    content: bytes
    mode: int = 0o644
    owner: int = 0


def ensure(engine: Engine) -> str:
    """The id of the suite's image, which is on the engine's host afterwards, under this project's own name for it.

    Raises:
        EngineFault: it cannot be made here or loaded.
    """
    layer = _layer(list(_files()))
    config = _config(layer)
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    if not engine.has_image(digest):
        _load(engine, config, layer, digest)
    return digest


def _files() -> Iterator[_File]:
    inside = Path(__file__).with_name("inside")
    interpreter = Path(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
    files = _used(interpreter, inside.parent)
    library = _library(files)
    for path in files:
        if path == interpreter or inside in path.parents:
            continue
        yield _File(_place(path, library), path.read_bytes(), 0o755 if ".so" in path.name else 0o644)
    loader = elf.loader(interpreter)
    if loader is not None:
        yield _File(loader, Path(loader).read_bytes(), 0o755)
    for path in sorted(inside.glob("*.py")):
        yield _File(f"{HOME}/inside/{path.name}", path.read_bytes())
    yield _File(f"{HOME}/inside/answers.py", _answers().encode())
    yield _File(CALL[0], interpreter.read_bytes(), 0o755)
    yield _File(CALL[-1], _START.encode())
    yield _File(SETUID_PROGRAM, elf.program(_EXITS_WITH_USER), 0o4755, SETUID_OWNER)


def _answers() -> str:
    """A module with what each kind of output answers the canary's scan, from the sources in their rows."""
    parts = [
        f"{inspect.getsource(kind.canary.answer)}\nANSWERS[{kind.name!r}] = {kind.canary.answer.__name__}\n"
        for kind in rows()
    ]
    return "\n".join(["ANSWERS = {}\n", *parts])


def _used(interpreter: Path, top: Path) -> list[Path]:
    """Every file that the interpreter opens to import the program."""
    modules = [f"inside.{path.stem}" for path in sorted((top / "inside").glob("*.py"))]
    command = [str(interpreter), "-I", "-S", "-c", _ASK, str(top), *modules, *_FURTHER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    if done.returncode:
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"making the suite's image: {done.stderr[-500:]}")
    return sorted({Path(line) for line in done.stdout.splitlines()})


def _library(files: Iterable[Path]) -> Path:
    """The folder of the standard library."""
    return next(path.parent for path in files if path.name == "os.py")


def _place(path: Path, library: Path) -> str:
    version = f"{HOME}/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
    if library in path.parents:
        return f"{version}/{path.relative_to(library)}"
    return f"{HOME}/libraries/{elf.soname(path)}"


def _layer(files: list[_File]) -> bytes:
    """All files and their directories as a tar that is equal for equal content."""
    unique = {file.path: file for file in files}
    directories = sorted(
        {str(parent) for path in unique for parent in Path(path).parents} | {"/var", _TEMPORARY, "/root"}
    )
    directories.append(f"{HOME}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/lib-dynload")
    names = [path for path in (*directories, *unique, f"{HOME}/files") if path != "/"]
    unique[f"{HOME}/files"] = _File(f"{HOME}/files", "\n".join(sorted({*names, "/etc", "/sbin"})).encode())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in dict.fromkeys(directories):
            if path != "/":
                entry = tarfile.TarInfo(path[1:])
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if path == _TEMPORARY else 0o755
                archive.addfile(entry)
        for path, file in sorted(unique.items()):
            entry = tarfile.TarInfo(path[1:])
            entry.size, entry.mode, entry.uid = len(file.content), file.mode, file.owner
            archive.addfile(entry, io.BytesIO(file.content))
    return out.getvalue()


def _config(layer: bytes) -> bytes:
    content = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": [f"LD_LIBRARY_PATH={HOME}/libraries", "HOME=/root", "LD_PRELOAD=/none.so"],
            "Entrypoint": list(CALL),
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    return json.dumps(content, sort_keys=True).encode()


def _load(engine: Engine, config: bytes, layer: bytes, digest: str) -> None:
    name = f"{digest.removeprefix('sha256:')}.json"
    manifest = [{"Config": name, "RepoTags": None, "Layers": ["layer.tar"]}]
    with tempfile.TemporaryDirectory(prefix="proctor-conformance-") as folder:
        archive = Path(folder) / "image.tar"
        with tarfile.open(archive, "w") as out:
            for path, content in (
                ("manifest.json", json.dumps(manifest).encode()),
                (name, config),
                ("layer.tar", layer),
            ):
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                out.addfile(entry, io.BytesIO(content))
        sink = DirectorySink(Path(folder) / "blobs")
        facts = check_archive(archive, limit=_LIMIT, sink=sink)
        with tempfile.TemporaryFile(dir=folder) as canonical:
            write_canonical(facts, sink.open, canonical)
            canonical.seek(0)
            load_image(engine, canonical, digest)
