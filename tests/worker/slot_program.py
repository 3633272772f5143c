"""What the containers of the slots' tests do; the track says it: `sleeps-1.5`, `eats-100` (MiB), `until`, `hangs`."""

import os
import sys
import time

ARGUMENTS = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
WHAT, _, AMOUNT = os.environ["PROCTOR_TRACK"].partition("-")

if WHAT == "sleeps":
    time.sleep(float(AMOUNT))
elif WHAT == "hangs":
    time.sleep(1000)
elif WHAT == "eats":
    held = bytearray(int(AMOUNT) * 2**20)
    held[::4096] = bytes(len(held[::4096]))
elif WHAT == "until":
    with open(ARGUMENTS["--t1"]) as file:  # noqa: PTH123
        time.sleep(max(0.0, float(file.read()) - time.time()))
elif WHAT == "counts":
    print(*sorted(os.sched_getaffinity(0)))
with open(ARGUMENTS["--output"], "w") as file:  # noqa: PTH123
    file.write("0.5")
