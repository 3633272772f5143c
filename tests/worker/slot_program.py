"""What the containers of the slots' tests do; the track says it: `sleeps-1.5`, `eats-100` (MiB), `until`, `hangs`,
`tires-3` (after three cases), `refuses` (all but the first one)."""

import json
import os
import sys
import time

WHAT, _, AMOUNT = os.environ["PROCTOR_TRACK"].partition("-")


def answer(arguments, number):
    """Writes 0.5, or as one of several cases that this process answers, a hundredth of its number."""
    named = dict(zip(arguments[::2], arguments[1::2], strict=True))
    if WHAT == "sleeps":
        time.sleep(float(AMOUNT))
    elif WHAT == "hangs":
        time.sleep(1000)
    elif WHAT == "eats":
        held = bytearray(int(AMOUNT) * 2**20)
        held[::4096] = bytes(len(held[::4096]))
    elif WHAT == "until":
        with open(named["--t1"]) as file:  # noqa: PTH123
            time.sleep(max(0.0, float(file.read()) - time.time()))
    elif WHAT == "counts":
        print(*sorted(os.sched_getaffinity(0)))
    elif WHAT == "tires" and number > int(AMOUNT):
        sys.exit(1)
    with open(named["--output"], "w") as file:  # noqa: PTH123
        file.write(str(number / 100 if number else 0.5))


if sys.argv[1:] == ["--invoke"]:
    for count, line in enumerate(sys.stdin, 1):
        asked = json.loads(line)
        answer(asked["arguments"], count)
        served = WHAT != "refuses" or count == 1
        print(json.dumps({"case": asked["case"], "ok": served}), flush=True)
else:
    answer(sys.argv[1:], 0)
