from pathlib import Path
from typing import Any

import pytest

from scripts.budgets import breaches, main

SETTINGS: dict[str, Any] = {
    "packages": ["lib", "app", "tests"], "lines": 10, "test_lines": 20, "function_lines": 3,
}  # fmt: skip


def write(root: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(
        tmp_path,
        {
            "lib/__init__.py": "",
            "lib/inner/__init__.py": "from lib.inner._deep import step\n",
            "lib/inner/_deep.py": "def step(): ...\n",
            "lib/inner/door.py": "_KEY = 1\nclass Lock:\n    _open = False\n",
            "tests/lib/test_deep.py": "from lib.inner._deep import step\n",
        },
    )
    return tmp_path


def shown(root: Path, exempt: dict[str, dict[str, str]] | None = None) -> list[str]:
    return [breach.shown for breach in breaches(root, {**SETTINGS, "exempt": exempt or {}})]


def test_a_package_and_the_tests_of_its_area_may_use_what_is_private_to_it(root: Path) -> None:
    assert shown(root) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from lib.inner._deep import step", "lib.inner._deep"),
        ("from lib.inner import _deep", "lib.inner._deep"),
        ("import lib.inner._deep", "lib.inner._deep"),
        ("import lib.inner._deep as deep", "lib.inner._deep"),
        ("from lib.inner.door import _KEY", "lib.inner.door._KEY"),
        ("from lib.inner import door; door._KEY", "lib.inner.door._KEY"),
        ("import lib.inner.door; lib.inner.door._KEY.real", "lib.inner.door._KEY"),
        ("from lib.inner.door import Lock; Lock._open", "lib.inner.door.Lock._open"),
        ("def late():\n    from lib.inner import _deep", "lib.inner._deep"),
    ],
)
@pytest.mark.parametrize("file", ["app/main.py", "lib/other.py", "tests/app/test_main.py"])
def test_what_is_private_is_named_wherever_it_is_reached_from_outside(
    root: Path, source: str, name: str, file: str
) -> None:
    write(root, {file: f"{source}\n"})
    line = source.count("\n") + 1
    assert shown(root) == [
        f"{file}:{line}: {name} is private to lib.inner: "
        "import it from a public name of lib.inner, or make it public"
    ]


def test_a_relative_import_is_followed(root: Path) -> None:
    write(
        root, {"lib/near/use.py": "from ..inner import _deep\n", "lib/inner/use.py": "from . import _deep\n"}
    )
    assert [line.split(":")[0] for line in shown(root)] == ["lib/near/use.py"]


def test_what_others_call_private_is_not_ours_to_judge(root: Path) -> None:
    write(root, {"app/main.py": "import os\nfrom ctypes import _SimpleCData\nos._exit\nos.__name__\n"})
    assert shown(root) == []


def test_lengths_have_bounds_and_a_test_may_be_longer(root: Path) -> None:
    long = "\n" * 11
    write(root, {"app/main.py": long, "tests/app/test_main.py": long, "tests/app/test_long.py": "\n" * 21})
    assert [line.split(":")[0] for line in shown(root)] == ["app/main.py", "tests/app/test_long.py"]
    assert shown(root)[0].startswith("app/main.py:11: 11 lines, at most 10: ")


def test_a_function_is_as_long_as_from_its_def_to_its_end(root: Path) -> None:
    method = "class A:\n    def four(self):\n        1\n        2\n        3\n"
    write(root, {"app/main.py": f"@print\nasync def three():\n    1\n    2\n\n{method}"})
    assert shown(root) == ["app/main.py:7: four has 4 lines, at most 3: give its steps names of their own"]


def test_an_exemption_holds_for_its_rule_and_is_named_once_nothing_needs_it(root: Path) -> None:
    write(root, {"app/main.py": "from lib.inner import _deep\n"})
    assert shown(root, {"private": {"app/main.py": "why"}}) == []
    assert len(shown(root, {"lines": {"app/main.py": "why"}})) == 2
    assert shown(root, {"private": {"app/main.py": "why"}, "lines": {"app/gone.py": "why"}}) == [
        "pyproject.toml:1: app/gone.py keeps the bound: take it out of [tool.budgets.exempt.lines]"
    ]


def test_a_public_class_has_a_name_of_its_own_among_the_packages_that_ask_for_it(root: Path) -> None:
    write(root, {"app/main.py": "class Lock: ...\nclass _Own: ...\n", "lib/own.py": "class _Own: ...\n"})
    assert shown(root) == []
    asked = {**SETTINGS, "one_meaning": ["lib", "app"]}
    assert [breach.shown for breach in breaches(root, asked)] == [
        "app/main.py:1: Lock is a class of lib/inner/door.py too: give one of them a name of its own"
    ]
    assert breaches(root, {**asked, "exempt": {"names": {"Lock": "why"}}}) == []
    assert len(breaches(root, {**asked, "exempt": {"names": {"Lock": "why", "Door": "why"}}})) == 1


def test_the_check_ends_with_one_where_a_bound_is_broken(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = '[tool.budgets]\npackages = ["lib"]\nlines = 2\ntest_lines = 2\nfunction_lines = 2\n'
    write(root, {"pyproject.toml": settings})
    assert main(root) == 1
    assert "lib/inner/door.py:3: 3 lines, at most 2" in capsys.readouterr().out
    write(root, {"pyproject.toml": settings.replace("lines = 2", "lines = 3")})
    assert main(root) == 0
