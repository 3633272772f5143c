"""`python -m demo.brains OUT --task task2 --split validation --cases 12 --seed 26` writes synthetic data."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from demo.brains.layout import count_cases, write_dataset, write_pretraining
from demo.brains.model import TASKS, Split
from demo.brains.sheet import contact_sheet

TaskName = Literal["task1", "task2", "task3", "task4", "task5", "task6", "all"]


def main(
    out: Annotated[Path, typer.Argument(help="Directory to write to; made if missing.")],
    task: Annotated[TaskName, typer.Option(help="Task to write.")] = "all",
    split: Annotated[Split, typer.Option(help="Whose institutions scan.")] = "sanity",
    cases: Annotated[int, typer.Option(min=1, help="Cases; for task6 of each of its three cohorts.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the data set.")] = 26,
    spacing: Annotated[float, typer.Option(min=1, max=4, help="Voxel size in mm.")] = 2.0,
    sheet: Annotated[Path | None, typer.Option(help="Also write a PNG with one row per case.")] = None,
) -> None:
    """Write synthetic brains with known truth in the layout of the released data."""
    tasks = TASKS if task == "all" else (task,)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console) as progress:
        if split == "pretraining":
            bar = progress.add_task("pretraining", total=cases)
            write_pretraining(out, cases, seed=seed, spacing_mm=spacing, advance=_advancer(progress, bar))
            return
        for name in tasks:
            bar = progress.add_task(f"{name} {split}", total=count_cases(name, cases))
            step = _advancer(progress, bar)
            write_dataset(out, name, split, cases, seed=seed, spacing_mm=spacing, advance=step)
    if sheet is not None:
        contact_sheet(sheet, tasks[0], split, seed=seed, spacing_mm=spacing)
        console.print(f"picture: {sheet}")


def _advancer(progress: Progress, bar: TaskID) -> Callable[[], None]:
    return lambda: progress.advance(bar)


if __name__ == "__main__":
    typer.run(main)
