"""`python -m benchmarks [NAME…] [--json FILE]`: measure and print both medians and the ratio."""

import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.support.compare import Comparison
from benchmarks.support.machine import facts

NAMES = sorted(
    module.name
    for module in pkgutil.iter_modules(benchmarks.__path__)
    if not (module.ispkg or module.name.startswith("_"))
)
_FILE_WIDTH = 140

program = typer.Typer(add_completion=False)


@program.command()
def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which to run; all if left out: {', '.join(NAMES)}.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write every sample here.")] = None,
) -> None:
    """Measure Proctor against named alternatives, each pair in the same run.

    Exit code 1 if one failed, or if a ratio is below the least one that its comparison states.
    """
    if unknown := sorted(set(names or ()) - set(NAMES)):
        raise typer.BadParameter(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    machine = facts()
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    console.print("  ".join(f"{key} {value}" for key, value in machine.items()), highlight=False)
    results: list[Comparison] = []
    failed: list[str] = []
    for name in names or NAMES:
        try:
            results += importlib.import_module(f"benchmarks.{name}").run()
        except Exception as error:  # noqa: BLE001 - what one needs may be missing here; the others still count
            failed.append(name)
            console.print(f"{name}: {type(error).__name__}: {error}", style="red", markup=False)
    console.print(table(results))
    if json_file is not None:
        content = {
            "machine": machine,
            "comparisons": [comparison.to_json() for comparison in results],
            "failed": failed,
        }
        json_file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    short = [comparison for comparison in results if not comparison.holds]
    for comparison in short:
        console.print(
            f"{comparison.name}: {comparison.ratio:.2f}× is below {comparison.least:g}×",
            style="red",
            markup=False,
        )
    if failed or short:
        raise typer.Exit(1)


def table(results: list[Comparison]) -> Table:
    """One row per comparison."""
    result = Table(
        "what",
        "Proctor",
        "median",
        "alternative",
        "median",
        "n",
        "speed",
        "quartiles",
        "least",
        box=None,
        pad_edge=False,
    )
    for comparison in results:
        colour = "red" if not comparison.holds else "green" if comparison.ratio >= 1 else "yellow"
        least = "" if comparison.least is None else f"{comparison.least:g}×"
        spread = "" if comparison.spread is None else "{:.2f} to {:.2f}×".format(*comparison.spread)
        sides = [
            word
            for side in (comparison.ours, comparison.other)
            for word in (side.label, comparison.shown(side))
        ]
        result.add_row(
            comparison.name,
            *sides,
            str(len(comparison.ours.seconds)),
            f"[{colour}]{comparison.ratio:.2f}×[/]",
            spread,
            least,
        )
    result.caption = "speed: that of Proctor where the alternative's is 1; least: what is promised"
    result.caption_justify = "left"
    return result


if __name__ == "__main__":
    program()
