"""`apptainer build` with the engine of the tests, for the definition files that Proctor writes.

The sections mean what they do to Apptainer: a base from a registry, files, commands, and the scripts below
`/.singularity.d`. Apptainer itself needs rights that test machines do not give.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.sandbox.sifs import made, partition, sif


def build(target: Path, definition: Path, base: str) -> None:
    """The SIF file of a definition, whose base image is `base`."""
    parts = sections(definition.read_text())
    assert parts["header"] == ["Bootstrap: docker", "From: {{ BASE }}"]
    assert [line.partition("=")[0] for line in parts["arguments"]] == ["BASE"]
    with tempfile.TemporaryDirectory(prefix="proctor-sif-") as name:
        top = Path(name) / "root"
        top.mkdir()
        _unpack(_image(parts, definition.parent, base), top)
        scripts = top / ".singularity.d" / "env"
        scripts.mkdir(parents=True)
        (scripts / "90-environment.sh").write_text("\n".join(parts.get("environment", [])) + "\n")
        (scripts.parent / "runscript").write_text("\n".join(["#!/bin/sh", *parts["runscript"]]) + "\n")
        (scripts.parent / "runscript").chmod(0o755)
        target.write_bytes(sif(partition(made(top, Path(name) / "made"))))


def sections(text: str) -> dict[str, list[str]]:
    """The lines of each section, those before the first as `header`."""
    found: dict[str, list[str]] = {"header": []}
    current = found["header"]
    for line in text.splitlines():
        if line.startswith("%"):
            current = found.setdefault(line[1:].strip(), [])
        elif line.strip():
            current.append(line.strip())
    return found


def _image(parts: dict[str, list[str]], folder: Path, base: str) -> str:
    """The id of the engine's image with the files in place and the commands run."""
    with tempfile.TemporaryDirectory(prefix="proctor-sif-") as name:
        context = Path(name)
        lines = [f"FROM {base}"]
        for number, entry in enumerate(parts.get("files", [])):
            source, target = entry.split()
            if (folder / source).is_dir():
                shutil.copytree(folder / source, context / str(number))
            else:
                shutil.copyfile(folder / source, context / str(number))
            lines.append(f"COPY {number} {target}")
        if "post" in parts:
            (context / "post.sh").write_text("\n".join(parts["post"]) + "\n")
            lines += ["COPY post.sh /post.sh", "RUN sh -e /post.sh && rm /post.sh"]
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        command = ["docker", "build", "--quiet", "--network=none", str(context)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _unpack(image: str, top: Path) -> None:
    created = ["docker", "create", "--network=none", image, "true"]
    container = subprocess.run(created, check=True, capture_output=True, text=True).stdout.strip()
    try:
        archive = top.parent / "root.tar"
        subprocess.run(["docker", "export", "--output", str(archive), container], check=True)
        subprocess.run(["tar", "--extract", "--file", str(archive), "--directory", str(top)], check=True)
        archive.unlink()
    finally:
        subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)
        subprocess.run(["docker", "image", "rm", "--force", image], check=False, capture_output=True)


if __name__ == "__main__":
    word, base, target, definition = sys.argv[1:]
    assert word == "build"
    build(Path(target), Path(definition), base)
