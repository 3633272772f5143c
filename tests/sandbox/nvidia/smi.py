"""What `nvidia-smi` answers to the questions that are asked of it here, from a file of state."""

import json
import sys
import time
from pathlib import Path
from typing import Any

_LOST = "Unable to determine the device handle for GPU0000:01:00.0: GPU is lost. Reboot the system to recover this GPU"


def cell(name: str, uuid: str, gpu: dict[str, Any], state: dict[str, Any]) -> str:
    """One answer about one GPU."""
    fixed = {
        "ecc.mode.current": "Enabled",
        "persistence_mode": "Enabled",
        "mig.mode.current": "Disabled",
        "driver_version": state["driver"],
        "uuid": uuid,
    }
    numbers = {"memory.total": "memory", "memory.used": "used", "name": "model"}
    numbers["ecc.errors.uncorrected.volatile.total"] = "errors"
    return fixed[name] if name in fixed else str(gpu[numbers[name]])


def rows(state: dict[str, Any], options: dict[str, str]) -> int:
    """Print a line for each GPU that is asked for; the exit code."""
    asked = options.get("--id")
    chosen = {uuid: gpu for uuid, gpu in state["gpus"].items() if asked in (None, uuid)}
    if not chosen:
        print("No devices were found")
        return 6
    for uuid, gpu in chosen.items():
        names = options["--query-gpu"].split(",")
        print(_LOST if gpu["lost"] else ", ".join(cell(name, uuid, gpu, state) for name in names))
    sys.stdout.flush()
    return 15 if any(gpu["lost"] for gpu in chosen.values()) else 0


def main(folder: Path, arguments: list[str]) -> int:
    """Answer once, or again and again; the exit code."""
    options = dict(argument.partition("=")[::2] for argument in arguments)
    while True:
        state = json.loads((folder / "state.json").read_text())
        if state["hangs"]:
            time.sleep(3600)
        if "-q" in options:
            print(f"Driver Version : {state['driver']}\nCUDA Version   : {state['cuda']}")
            return 0
        code = rows(state, options)
        if "--loop-ms" not in options:
            return code
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
