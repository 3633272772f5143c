"""`apptainer exec docker://…` and `apptainer build`, as the templates type them, with the engine of the tests.

The sections mean what they do to Apptainer: a base from a registry, files, commands, labels, and the scripts below
`/.singularity.d`. Apptainer itself needs rights that test machines do not give.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.sandbox.sifs import made, partition, sif

LABELS = ".build.labels"
"""Where Apptainer has commands write labels, which then become those of the image."""


def main(words: list[str]) -> int:
    """The command; of `exec` the exit code of what was run."""
    if words[0] == "exec":
        image = words[1].removeprefix("docker://")
        return subprocess.run(
            ["docker", "run", "--rm", "--network=none", image, *words[2:]], check=False
        ).returncode
    parser = argparse.ArgumentParser()
    parser.add_argument("word", choices=["build"])
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--build-arg", action="append", default=[])
    parser.add_argument("target", type=Path)
    parser.add_argument("definition", type=Path)
    given = parser.parse_args(words)
    assert given.force or not given.target.exists(), "Apptainer would ask somebody"
    build(given.target, given.definition, dict(one.split("=", 1) for one in given.build_arg))
    return 0


def build(target: Path, definition: Path, arguments: dict[str, str]) -> None:
    """The SIF file of a definition; files are looked for where one stands, as Apptainer does."""
    parts = sections(definition.read_text())
    known = dict(line.split("=", 1) for line in parts["arguments"])
    assert set(arguments) <= set(known), "Apptainer refuses arguments that a definition does not have"
    parts = sections(filled(definition.read_text(), known | arguments))
    bootstrap, base = parts["header"]
    assert bootstrap == "Bootstrap: docker"
    with tempfile.TemporaryDirectory(prefix="proctor-sif-") as name:
        top = Path(name) / "root"
        top.mkdir()
        _unpack(_image(parts, Path.cwd(), base.removeprefix("From: ")), top)
        scripts = top / ".singularity.d" / "env"
        scripts.mkdir(parents=True)
        (scripts / "90-environment.sh").write_text("\n".join(parts.get("environment", [])) + "\n")
        (scripts.parent / "runscript").write_text("\n".join(["#!/bin/sh", *parts["runscript"]]) + "\n")
        (scripts.parent / "runscript").chmod(0o755)
        (scripts.parent / "labels.json").write_text(json.dumps(labels(parts, top / LABELS)))
        target.write_bytes(sif(partition(made(top, Path(name) / "made", level=1))))


def filled(text: str, arguments: dict[str, str]) -> str:
    """The definition with its arguments in place."""
    for name, value in arguments.items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    assert "{{" not in text
    return text


def sections(text: str) -> dict[str, list[str]]:
    """The lines of each section, those before the first as `header`; comments of the header are left out."""
    found: dict[str, list[str]] = {"header": []}
    current = found["header"]
    for line in text.splitlines():
        if line.startswith("%"):
            current = found.setdefault(line[1:].strip(), [])
        elif line.strip() and not (current is found["header"] and line.startswith("#")):
            current.append(line.strip())
    return found


def labels(parts: dict[str, list[str]], written: Path) -> dict[str, str]:
    """Those of `%labels` and those that commands wrote, whose file goes."""
    lines = [*parts.get("labels", []), *(written.read_text().splitlines() if written.exists() else [])]
    written.unlink(missing_ok=True)
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def _image(parts: dict[str, list[str]], folder: Path, base: str) -> str:
    """The id of the engine's image with the files in place and the commands run."""
    with tempfile.TemporaryDirectory(prefix="proctor-sif-") as name:
        context, lines = Path(name), [f"FROM {base}"]
        for number, entry in enumerate(parts.get("files", [])):
            source, target = entry.split()
            sources = sorted(folder.glob(source))
            assert sources, f"there is no {source}"
            for path in sources:
                place = context / str(number) / path.name
                place.parent.mkdir(exist_ok=True)
                shutil.copytree(path, place) if path.is_dir() else shutil.copyfile(path, place)
            what = str(number) if target.endswith("/") else f"{number}/{sources[0].name}"
            lines.append(f"COPY {what} {target}")
        if "post" in parts:
            (context / "post.sh").write_text("\n".join(parts["post"]) + "\n")
            lines += ["COPY post.sh /post.sh"]
            lines += [f"RUN SINGULARITY_LABELS=/{LABELS} sh -e /post.sh && rm /post.sh"]
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        command = ["docker", "build", "--quiet", "--network=none", str(context)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


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
    sys.exit(main(sys.argv[1:]))
