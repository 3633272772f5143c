"""What builds the program into an image: what it needs, Docker's file and Apptainer's."""

import json
import re

from contract.skeleton._bodies import body_of
from evaluator.spec import Task

BASE = "python:3.11-slim"
FETCH = (
    "python -m pip download --quiet --only-binary=:all: --platform=manylinux_2_28_x86_64 "
    "--platform=manylinux_2_17_x86_64 --python-version=3.11 --dest=wheels -r requirements.txt pip"
)
"""The command that puts what `requirements` lists into `wheels/`, on whatever machine, for an image of `BASE`."""

_PINS = {"nibabel": "5.4.2", "numpy": "2.4.6"}
_CALLED = re.compile(r"python(3(\.11)?)?")
_PATH = re.compile(r"(/[A-Za-z0-9_.-]+)+\.py")
# pip runs from its own wheel: nothing is fetched during the build, and a base need not have pip.
_INSTALL = (
    'python "$(ls /wheels/pip-*.whl)/pip" install --no-index --find-links=/wheels --target=/opt/site '
    "-r /wheels/requirements.txt"
)


def requirements(task: Task) -> str:
    """The packages of the program with their versions, a line each; empty where Python alone will do."""
    body = body_of(task)
    return "".join(f"{one}=={_PINS[one]}\n" for one in (body.packages if body else ()))


def dockerfile(task: Task, *, invoke: bool = False) -> str | None:
    """The file that builds the program into an image; None where the call is not one of Python at an absolute path."""
    path = _path(task)
    if path is None:
        return None
    lines = [
        "# The image to build on, with Python 3.11: --build-arg BASE=… takes another.",
        f"ARG BASE={BASE}",
    ]
    if requirements(task):
        lines += [
            "",
            "# Packages come from wheels/, which is filled before.",
            "FROM ${BASE} AS site",
        ]
        lines += ["COPY wheels requirements.txt /wheels/", f"RUN {_INSTALL}"]
    lines += ["", "FROM ${BASE}"]
    if requirements(task):
        lines += ["COPY --from=site /opt/site /opt/site", "ENV PYTHONPATH=/opt/site"]
    lines.append(f"COPY predict.py {path}")
    if invoke:
        lines += [
            "# Where the challenge allows it, one container answers many cases.",
            "LABEL proctor.invoke=1",
        ]
    lines += [] if task.call else [f"ENTRYPOINT {json.dumps(['python', path])}"]
    return "\n".join(lines) + "\n"


def definition(task: Task) -> str | None:
    """The definition file that Apptainer builds the same of; None where there is no `dockerfile`."""
    path = _path(task)
    if path is None:
        return None
    packages = bool(requirements(task))
    parts = ["Bootstrap: docker\nFrom: {{ BASE }}", f"%arguments\n    BASE={BASE}"]
    copied = ["wheels /wheels", "requirements.txt /wheels/requirements.txt"] if packages else []
    parts.append("\n    ".join(["%files", *copied, f"predict.py {path}"]))
    if packages:
        parts.append(f"%post\n    {_INSTALL}\n    rm -r /wheels")
        parts.append("%environment\n    export PYTHONPATH=/opt/site")
    parts.append(f'%runscript\n    exec python {path} "$@"')
    return "\n\n".join(parts) + "\n"


def _path(task: Task) -> str | None:
    """Where the program lies inside the image."""
    if task.call is None:
        return "/app/predict.py"
    is_python = len(task.call) == 2 and _CALLED.fullmatch(task.call[0]) and _PATH.fullmatch(task.call[1])
    return task.call[1] if is_python else None
