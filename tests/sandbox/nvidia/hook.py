"""What `nvidia-container-runtime-hook prestart` does, as far as a program inside can see; run by the engine, as root.

It gets the container's state on its standard input, and what the container asks for from its variables.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any


def main(folder: Path, container: dict[str, Any]) -> str | None:
    """Why the container cannot have what it asks for, in the words of the real one; None where it was given."""
    state = json.loads((folder / "state.json").read_text())
    config = json.loads((Path(container["bundle"]) / "config.json").read_text())
    asked = dict(variable.partition("=")[::2] for variable in config["process"]["env"])
    there = [uuid for uuid, gpu in state["gpus"].items() if not gpu["lost"]]
    named = asked.get("NVIDIA_VISIBLE_DEVICES", "")
    wanted = (
        there if named == "all" else [name for name in named.split(",") if name not in ("", "void", "none")]
    )
    for name in wanted:
        if name not in there:
            return f"nvidia-container-cli: device error: {name}: unknown device: unknown"
    needed = re.search(r"cuda>=(\d+)\.(\d+)", asked.get("NVIDIA_REQUIRE_CUDA", ""))
    if needed and tuple(map(int, needed.groups())) > tuple(map(int, state["cuda"].split("."))):
        return (
            f"nvidia-container-cli: requirement error: unsatisfied condition: {needed[0]}, please update your driver "
            "to a newer version, or use an earlier cuda container: unknown"
        )
    give(
        container["pid"], config["root"]["path"], [(list(state["gpus"]).index(uuid), uuid) for uuid in wanted]
    )
    (folder / "given" / container["id"]).write_text(json.dumps(wanted))
    return None


def give(pid: int, root: str, gpus: list[tuple[int, str]]) -> None:
    """Put each GPU, by its number, into the container's own /dev and /proc, which nobody else sees."""
    lines = [f"mount -t tmpfs none '{root}/proc/driver'"]
    for minor, uuid in gpus:
        told = f"{root}/proc/driver/nvidia/gpus/0000:0{minor}:00.0"
        lines += [f"touch '{root}/dev/nvidia{minor}'", f"mkdir -p '{told}'"]
        text = f"GPU UUID: \\t {uuid}\\nDevice Minor: \\t {minor}\\n"
        lines.append(f"printf '{text}' > '{told}/information'")
    inside = ["nsenter", f"--target={pid}", "--mount", "sh", "-ec", "\n".join(lines)]
    subprocess.run(inside, check=True)


if __name__ == "__main__":
    refused = main(Path(sys.argv[1]), json.load(sys.stdin))
    if refused:
        print(refused, file=sys.stderr)
        sys.exit(1)
