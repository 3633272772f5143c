"""What documentation names of the code is there."""

import importlib
import re
from pathlib import Path

import pytest

from server.app import create_app
from server.settings import Settings
from worker.embedded.data import CHECKOUT

PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("challenges/*/*.md")])
PACKAGES = (
    "evaluator|contract|sandbox|server|worker|client|demo|baseline_model|benchmarks|tests|migrations|scripts"
)
FILE = re.compile(rf"`((?:{PACKAGES}|docs|docker|challenges)/[\w/.-]+)`")
NAME = re.compile(rf"`(?:python -m )?((?:{PACKAGES})(?:\.\w+)+)(?:\(\))?`")
OPERATION = re.compile(r"`(GET|POST|PATCH|PUT|DELETE) (/[^\s`?]*)")


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
    gone += [name for name in NAME.findall(text) if not is_there(name)]
    assert gone == []


def test_operations_that_pages_name_are_there(tmp_path: Path) -> None:
    values = {"data": tmp_path, "secret_key": "k" * 40, "DATABASE_URL": "postgresql+psycopg://nobody@/none"}
    paths = create_app(Settings.model_validate(values)).openapi()["paths"]
    there = {(verb.upper(), shape(path)) for path, verbs in paths.items() for verb in verbs}
    named = {
        (verb, shape(path)): page.name
        for page in PAGES
        for verb, path in OPERATION.findall(page.read_text(encoding="utf-8"))
    }
    assert {operation: page for operation, page in named.items() if operation not in there} == {}
    assert len(named) > 20


def shape(path: str) -> str:
    """A path below /api/v1 without what its parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api/v1"))


def test_the_client_is_installed_by_the_same_command_wherever_one_reads_of_it() -> None:
    pages = ("README.md", "baseline_model/README.md", "docs/run-contract.md", "client/templates/README.md")
    pages += ("client/templates/baseline.md", "server/templates/public/challenge.html")
    for page in pages:
        text = (CHECKOUT / page).read_text().replace('\\"', '"')
        assert set(re.findall(r"pip install ['\"]?(?:\.|proctor)[\w./-]*(?:\[[\w,]*\])?['\"]?", text)) == {
            'pip install "./distributions/client[try]"'
        }, page
