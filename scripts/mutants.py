"""`python -m scripts.mutants`: small defects, one at a time, and whether the tests notice.

Each mutant changes one place of a module: a comparison, an operator, a number, a truth value, a `not`. The tests
of the module's subject run in a copy of the tree; a mutant that they do not notice is printed. Which places are
tried is drawn with a seed, so a short run is the same one every time.
"""

import ast
import copy
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[1]
PACKAGES = ("evaluator/metrics", "evaluator/ranking")
_LEFT_OUT = {"__init__.py", "plugin_child.py"}
_SECONDS = 300
_OF_MASKS = {
    "lattice", "masks", "pairs", "surface_area", "surface_distances", "surface_steps", "surfaces", "surface",
    "lesions", "overlap", "segmentation", "volume", "of_cases",
}  # fmt: skip
_MASKS = ("distances", "overlap", "surface", "segmentation", "lesion", "volume", "registry")
_OF_PACKAGE = {
    "metrics": ("calibration", "classification", "fairness", "influence", "regression", "registry", "delong"),
    "ranking": ("test_rank",),
}
_ALL = (*_MASKS, *_OF_PACKAGE["metrics"], *_OF_PACKAGE["ranking"], "compiled", "resampling", "plugins")
_OF_MODULE = {
    **dict.fromkeys(("compiled", "kernels", "memory"), ("compiled", "resampling")),
    "plugin": ("registry", "overlap", "plugins"),
    "registry": ("registry", "plugins"), "decorators": ("registry", "plugins"),
    **dict.fromkeys(("masks", "pairs", "surfaces", "surface_steps"), (*_MASKS, "compiled")),
}  # fmt: skip
"""Which tests are run for a mutant: words in their names, by the module's subject."""
_COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult, ast.Mod: ast.Mult, ast.MatMult: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One changed place: the file, its line before and after, and the whole changed source."""

    file: str
    line: int
    before: str
    after: str
    source: str

    @property
    def shown(self) -> str:
        """Where it is and what it changes, for people."""
        return f"{self.file}:{self.line}: {self.before}  →  {self.after}"


def places_in(path: Path) -> int:
    """How many mutants a module has; annotations and messages are left alone."""
    return len(list(_places(ast.parse(path.read_text(encoding="utf-8")))))


def mutant_of(path: Path, number: int) -> Mutant:
    """One mutant of a module, by its number below `places_in`."""
    changed = ast.parse(path.read_text(encoding="utf-8"))
    node = list(_places(changed))[number]
    before = ast.unparse(node)
    _mutate(node)
    return Mutant(str(path.relative_to(ROOT)), node.lineno, before, ast.unparse(node), ast.unparse(changed))


def _places(tree: ast.Module) -> Iterator[ast.expr]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr):
            continue
        if isinstance(node, ast.expr) and _mutable(node):
            yield node
        skipped = {
            id(child) for name in ("annotation", "returns", "type_params") for child in _children(node, name)
        }
        waiting += [child for child in ast.iter_child_nodes(node) if id(child) not in skipped]


def _children(node: ast.AST, name: str) -> list[ast.AST]:
    child = getattr(node, name, None)
    return [child] if isinstance(child, ast.AST) else list(child or [])


def _mutable(node: ast.expr) -> bool:
    match node:
        case ast.Compare(ops=[operator]):
            return type(operator) in _COMPARED
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator):
            texts = [
                constant
                for constant in ast.walk(node)
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
            ]
            return type(operator) in _COMPUTED and not texts
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            return True
        case ast.Constant(value=value):
            return isinstance(value, bool | int | float)
    return False


def _mutate(node: ast.expr) -> None:
    match node:
        case ast.Compare():
            node.ops = [_COMPARED[type(node.ops[0])]()]
        case ast.BinOp() | ast.BoolOp():
            node.op = _COMPUTED[type(node.op)]()  # type: ignore[assignment]  # the table keeps to its kind
        case ast.UnaryOp(op=ast.Not()):
            node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand))
        case ast.UnaryOp():
            node.op = ast.UAdd()
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int() | float() as value):
            node.value = value + 1


def main(
    limit: Annotated[int, typer.Option(help="How many mutants to try; 0 is all.")] = 60,
    seed: Annotated[int, typer.Option(help="Which ones are drawn.")] = 26,
    jobs: Annotated[int, typer.Option(help="How many at a time.")] = 1,
    only: Annotated[str, typer.Option(help="Only files whose path holds this text.")] = "",
) -> None:
    """Try mutants and print those that no test notices. Exit code 1 if there are any."""
    files = [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).glob("*.py"))
        if path.name not in _LEFT_OUT and only in str(path)
    ]
    places = [(path, number) for path in files for number in range(places_in(path))]
    drawn = random.Random(seed).sample(places, min(limit or len(places), len(places)))  # noqa: S311 - a sample
    chosen = [mutant_of(path, number) for path, number in drawn]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        trees = [_copied(Path(folder) / str(number)) for number in range(jobs)]
        if failed := _failure(trees[0]):
            typer.echo(failed[-3000:], err=True)
            raise typer.BadParameter("the tests fail without any mutant")
        parts = [pool.submit(_survivors, tree, chosen[number::jobs]) for number, tree in enumerate(trees)]
        survivors = [mutant for part in parts for mutant in part.result()]
    for survivor in sorted(survivors, key=lambda mutant: (mutant.file, mutant.line)):
        typer.echo(survivor.shown)
    typer.echo(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants noticed; {len(places)} there are")
    raise typer.Exit(1 if survivors else 0)


def _copied(target: Path) -> Path:
    """Every file that the project keeps, as it is now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def _survivors(tree: Path, mutants: list[Mutant]) -> list[Mutant]:
    survivors = []
    for mutant in mutants:
        path = tree / mutant.file
        kept = path.read_text(encoding="utf-8")
        path.write_text(mutant.source, encoding="utf-8")
        survived = not _failure(tree, mutant.file)
        if survived:
            survivors.append(mutant)
        typer.echo(f"{'survived' if survived else 'noticed '} {mutant.shown}", err=True)
        path.write_text(kept, encoding="utf-8")
    return survivors


def _words(file: Path) -> tuple[str, ...]:
    module = file.stem.strip("_")
    if module in _OF_MODULE:
        return _OF_MODULE[module]
    return _MASKS if module in _OF_MASKS else _OF_PACKAGE.get(file.parent.name, _ALL)


def _failure(tree: Path, file: str = "") -> str:
    """What the tests of the module's subject say where one fails, those named after the module first; else nothing."""
    tests = tree / "tests" / "evaluator"
    words = _words(Path(file))
    near = [path for path in sorted(tests.glob("test_*.py")) if any(word in path.name for word in words)]
    stem = Path(file).stem.strip("_").rstrip("s")
    near.sort(key=lambda path: stem not in path.name)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not long", "--import-mode=importlib"]
    command += ["-p", "no:cacheprovider", "--no-header", *map(str, near)]
    try:
        done = subprocess.run(
            command, cwd=tree, capture_output=True, timeout=_SECONDS * (1 if file else 4), check=False, text=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "the tests do not end"  # a loop that never ends is noticed too
    return "" if done.returncode == 0 else done.stdout or "the tests fail"


if __name__ == "__main__":
    typer.run(main)
