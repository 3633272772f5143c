"""Whether a public image can be had, decided quickly where no registry is reachable."""

import queue
import subprocess
import threading
import time
from typing import IO

FIRST_SIGN_SECONDS = 20.0
WHOLE_PULL_SECONDS = 900.0


def can_have(engine_cli: str, image: str) -> bool:
    """True once `image` is in the engine. A registry that does not answer costs at most 20 s."""
    present = subprocess.run([engine_cli, "image", "inspect", image], capture_output=True)
    return present.returncode == 0 or _pull(engine_cli, image)


def _pull(engine_cli: str, image: str) -> bool:
    lines: queue.Queue[str] = queue.Queue()
    command = [engine_cli, "pull", image]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as pull:
        reader = threading.Thread(target=_forward, args=(pull.stdout, lines), daemon=True)
        reader.start()
        try:
            return _answered(pull, lines) and pull.wait(WHOLE_PULL_SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            pull.kill()
            reader.join()


def _forward(stream: IO[str] | None, lines: "queue.Queue[str]") -> None:
    for line in stream or ():
        lines.put(line)


def _answered(pull: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> bool:
    """Whether the registry named a layer, or the pull ended, in the time for a first sign."""
    limit = time.monotonic() + FIRST_SIGN_SECONDS
    while time.monotonic() < limit:
        try:
            if ": Pull" in lines.get(timeout=0.2) or pull.poll() is not None:
                return True
        except queue.Empty:
            if pull.poll() is not None:
                return True
    return False
