"""What documentation names of the code is there."""

import importlib
import re
from pathlib import Path

import pytest

from worker.embedded.data import CHECKOUT

PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("challenges/*/*.md")])
PACKAGES = (
    "evaluator|contract|sandbox|server|worker|client|demo|baseline_model|benchmarks|tests|migrations|scripts"
)
FILE = re.compile(rf"`((?:{PACKAGES}|docs|docker|challenges)/[\w/.-]+)`")
NAME = re.compile(rf"`(?:python -m )?((?:{PACKAGES})(?:\.\w+)+)(?:\(\))?`")
NO_MODULES = {"server.json"}
"""What looks like the name of a module and is the name of a file."""


def is_there(name: str) -> bool:
    """Whether a dotted name leads to a module, or to something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)  # type: ignore[assignment]
        return found is not None
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_files_and_modules_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    gone = [path for path in FILE.findall(text) if not (CHECKOUT / path).exists()]
    gone += [name for name in NAME.findall(text) if name not in NO_MODULES and not is_there(name)]
    assert gone == []
