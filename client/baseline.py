"""The PyTorch template and FOMO26's challenge file: as the wheel carries them, or as they lie in a checkout."""

import re
from collections.abc import Mapping
from pathlib import Path

from client.errors import Local, WrongUsage
from client.rules import ChallengeRules, read_rules
from client.starting import Start, baseline_page, companions

_PACKED = Path(__file__).parent / "packed"
_CHECKOUT = Path(__file__).resolve().parents[1]
FOMO26 = "fomo26"
TASKS = ("task1", "task2", "task3", "task4", "task5", "task6")
_LEFT_OUT = ("__pycache__", "wheels", "run", "data")
_BUILT = (".tar", ".sif")
_OF_CHECKOUT = re.compile(rb"<!-- checkout -->\n.*?<!-- copy\n(.*?)-->\n", re.DOTALL)
"""What a page says of a checkout, and what a copy says instead, which no reader of the page in a checkout sees."""


def fomo26() -> ChallengeRules:
    """The rules of FOMO26, as they are released with this version."""
    return read_rules(str(_found("fomo26.yaml", "challenges/fomo26/challenge.yaml")))


def baseline_files(start: Start) -> Mapping[str, bytes]:
    """The template as it stands, in `baseline_model/`, and beside it a page, the challenge's file and two cases.

    Of its pages what is said of a checkout is left out.

    Raises:
        WrongUsage: the template does not serve the task.
        Local: this installation does not carry it.
    """
    if start.rules.spec.challenge != FOMO26 or start.name not in TASKS:
        raise WrongUsage(
            "The baseline serves the tasks of FOMO26 alone.", "Leave --from out for a skeleton of this task."
        )
    top = _found("baseline_model", "baseline_model")
    names = [path.relative_to(top) for path in sorted(top.rglob("*")) if path.is_file()]
    kept = [name for name in names if not set(name.parts) & set(_LEFT_OUT) and name.suffix not in _BUILT]
    files = {f"baseline_model/{name.as_posix()}": _released(top / name) for name in kept}
    return {"README.md": baseline_page(start), **files, **companions(start)}


def _released(path: Path) -> bytes:
    """A file as it is released: a checkout on Windows may end lines otherwise, which no shell in an image takes."""
    content = path.read_bytes()
    if b"\0" in content:
        return content
    text = content.replace(b"\r\n", b"\n")
    return _OF_CHECKOUT.sub(rb"\1", text) if path.suffix == ".md" else text


def _found(packed: str, checked_out: str) -> Path:
    for path in (_PACKED / packed, _CHECKOUT / checked_out):
        if path.exists():
            return path
    raise Local(
        f"This installation has no {checked_out}.",
        "It is in Proctor's repository, and in the wheels of its releases.",
    )
