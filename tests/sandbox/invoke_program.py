"""A program that serves several cases, runs inside a container, and does what `PROCTOR_TRACK` names.

It answers with a number: how many marks of earlier cases it has found, wherever it may look.
"""

# Bare calls of the operating system, as such programs make them:
# ruff: noqa: PTH103, PTH104, PTH108, PTH113, PTH118, PTH123, PTH208, PTH211

import ctypes
import fcntl
import json
import os
import signal
import sys
import time

MARK = "left-by-another-case"
SKIPPED = ("/proc", "/sys")
LOOKED_AT = ("/", "/sys/fs/cgroup")
MANNER = os.environ["PROCTOR_TRACK"]
signal.signal(signal.SIGIO, signal.SIG_IGN)  # a lease that is broken would end the program


def everywhere():
    """Every directory of this container but those of the kernel."""
    for top in LOOKED_AT:
        for folder, inside, _ in os.walk(top):
            inside[:] = [name for name in inside if os.path.join(folder, name) not in SKIPPED]
            yield folder


def seen():
    found = 0
    for folder in everywhere():
        try:
            found += sum(name.startswith(MARK) for name in os.listdir(folder))
        except OSError:
            continue
    return found


def leave_marks():
    left = []
    for folder in list(everywhere()):
        try:
            with open(os.path.join(folder, MARK), "w") as file:
                file.write(MARK)
            os.makedirs(os.path.join(folder, MARK + "-folder", "deep", "er"))
            left.append(folder)
        except OSError:
            continue
    library = ctypes.CDLL(None, use_errno=True)
    library.mq_open(f"/{MARK}".encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
    return left


def attack_the_host(number):
    """Puts a link to a file of the host where the image has a file, whenever nothing is there."""
    manner, _, target = MANNER.partition(":")
    if manner == "links" and number == 1 and os.fork() == 0:
        while True:
            try:
                os.symlink(target, "/tmp/payload")
            except OSError:
                continue


def serve(case, arguments, number):
    output = arguments[arguments.index("--output") + 1]
    if MANNER == "second_hangs" and number == 2:
        time.sleep(600)
    if MANNER == "second_dies" and number == 2:
        os._exit(3)
    if MANNER == "chatters":
        print("loading ...\n{not json}\n[1]\n" + "x" * 300_000, flush=True)
        print(json.dumps({"case": "another", "ok": True}), flush=True)
    if MANNER == "floods" and number == 2:
        while True:
            os.write(1, b"y" * 65536)
    found = seen()
    if MANNER == "marks":
        left = leave_marks()
        print("left in", left, file=sys.stderr, flush=True)
        assert {"/tmp", "/output", "/proctor", "/dev", "/dev/shm"} <= set(left), left
        os.unlink(os.path.join("/output", MARK))
    attack_the_host(number)
    if MANNER == "image_folder":
        folder = "/tmp/of_the_image"
        found += not os.path.isfile(folder + "/model.bin")
        os.rename(folder, folder + "_moved")
    if MANNER != "second_empty" or number != 2:
        with open(output, "w") as file:
            file.write(str(found / 1000))
    if MANNER == "leases":  # whoever opens it now has to wait for this program
        fcntl.fcntl(os.open(output, os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
    print(json.dumps({"case": case, "ok": not (MANNER == "second_fails" and number == 2)}), flush=True)


while MANNER == "spins":
    pass
if sys.argv[1:] == ["--invoke"]:
    for count, line in enumerate(sys.stdin, 1):
        asked = json.loads(line)
        serve(asked["case"], asked["arguments"], count)
else:
    serve("", sys.argv[1:], 1)
