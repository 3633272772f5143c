"""The frame that all benchmarks share."""

import json
import pkgutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

import benchmarks
from benchmarks.__main__ import NAMES, program
from benchmarks.support.compare import Comparison, Side, compare


def test_both_sides_run_in_turn_after_one_uncounted_time_each() -> None:
    calls: list[str] = []
    result = compare("work", ("a", lambda: calls.append("a")), ("b", lambda: calls.append("b")), repeat=2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert len(result.ours.seconds) == len(result.other.seconds) == 2


def test_half_the_time_is_twice_the_speed() -> None:
    result = Comparison("work", Side("a", (1.0, 9.0, 1.0)), Side("b", (2.0, 2.0, 2.0)), megabytes=100)
    assert result.ratio == 2
    assert result.shown(result.ours) == "100 MB/s"


def test_half_of_the_pairs_have_a_ratio_within_the_spread_and_what_ran_alone_has_none() -> None:
    ours, other = Side("a", (1.0, 1.0, 1.0)), Side("b", (3.0, 1.0, 2.0))
    assert Comparison("work", ours, other).spread == (1, 3)
    assert Comparison("work", ours, Side("bound", (5.0,))).spread is None


@pytest.mark.parametrize(("least", "code"), [(None, 0), (2.0, 0), (2.1, 1)])
def test_a_ratio_below_the_promised_one_ends_with_exit_code_1(tmp_path, monkeypatch, least, code) -> None:
    (tmp_path / "promise.py").write_text(
        "from benchmarks.support.compare import Comparison, Side\n"
        f"def run(): return [Comparison('work', Side('a', (1,)), Side('b', (2,)), least={least})]\n"
    )
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(tmp_path)])
    monkeypatch.setattr("benchmarks.__main__.NAMES", ["promise"])
    done = CliRunner().invoke(program, ["promise"])
    sys.modules.pop("benchmarks.promise")
    assert done.exit_code == code, done.output
    assert ("below 2.1×" in done.output) == (code == 1)


def test_every_module_is_a_benchmark_that_can_be_found() -> None:
    assert {one.name for one in pkgutil.iter_modules(benchmarks.__path__)} >= set(NAMES)
    assert all(find_spec(f"benchmarks.{name}") for name in NAMES)


@pytest.mark.long
def test_a_benchmark_prints_its_table_and_writes_every_sample(tmp_path: Path) -> None:
    done = CliRunner().invoke(program, ["classification", "--json", str(tmp_path / "out.json")])
    assert done.exit_code == 0, done.output
    assert "scikit-learn" in done.output
    content = json.loads((tmp_path / "out.json").read_text())
    assert {"cores", "python", "load_before"} <= set(content["machine"])
    assert all(one["ratio"] > 0 and one["ours"]["seconds"] for one in content["comparisons"])


def test_an_unknown_benchmark_is_named_with_those_there_are() -> None:
    done = CliRunner().invoke(program, ["nothing"])
    assert done.exit_code == 2
    assert "classification" in done.output
