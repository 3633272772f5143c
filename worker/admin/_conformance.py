"""`proctor-admin doctor --conformance`: the suite of denied acts over every profile and runtime of this host."""

import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from evaluator.terminal import Console, say, say_json
from sandbox import conformance
from sandbox.conformance import Result
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.options import RUNTIMES
from worker.admin.findings import Profile


def show_conformance(profile: Profile | None, as_json: bool, engine_kind: str | None = None) -> int:
    """Runs the suite and the canary, for all profiles unless one is named; prints the results, seconds later.

    `engine_kind` names the engine where it is not the usual one.

    Returns 1 if anything failed, else 0.
    """
    try:
        results = _results([profile] if profile else list(Profile), engine_kind)
    except EngineFault as fault:
        say(str(fault), err=True)
        return 1
    if as_json:
        say_json([asdict(result) for result in results])
    else:
        Console().print(table(results))
    return 0 if all(result.held for result in results) else 1


def _results(profiles: list[Profile], engine_kind: str | None) -> list[Result]:
    engine = Engine.connect(engine_kind)
    try:
        known = [name for name in RUNTIMES if name in (engine.host.get("Runtimes") or {})]
        with tempfile.TemporaryDirectory(prefix="proctor-conformance-") as scratch:
            Path(scratch).chmod(0o711)
            return [
                result
                for runtime in known
                for profile in profiles
                for examine in (conformance.run, conformance.canary)
                for result in examine(engine, profile.value, runtime, Path(scratch))
            ]
    finally:
        engine.close()


def table(results: list[Result]) -> Table:
    """A row per check, a column per profile and runtime; what failed says what could be done."""
    modes = list(dict.fromkeys((result.profile, result.runtime) for result in results))
    by_check: dict[str, dict[tuple[str, str], Result]] = defaultdict(dict)
    for result in results:
        by_check[result.name][result.profile, result.runtime] = result
    shown = Table("check", "denied", *[" ".join(mode) for mode in modes], box=None, pad_edge=False)
    for name, row in by_check.items():
        said = next(iter(row.values())).denied
        shown.add_row(name, said, *[_cell(row.get(mode)) for mode in modes])
    return shown


def _cell(result: Result | None) -> Text:
    if result is None:
        return Text()
    return Text("held", "green") if result.held else Text.assemble(("failed", "red"), f" {result.detail}")
