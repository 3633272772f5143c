"""The digest of one metric: its own code, and that of the way on which a board of its kind is scored."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evaluator.digests._closure import Closure, Wanted
from evaluator.digests._plugin import Plugin, find_plugin
from evaluator.digests._source import Stamp, is_settled, sha256, stamp
from evaluator.metrics.registry import TABLES
from evaluator.spec import Cells, Files, Kind, Metric, kind_of, rows

_PACKAGE = Path(__file__).parents[1]
_TABLES = (*(table.__name__ for table in TABLES), "evaluator.metrics.registry")
"""Modules that hold rows of metrics; the registry holds those of comparisons."""


_EVERY: tuple[Wanted, ...] = (
    ("evaluator.manifest", "load_references"),
    ("evaluator.metrics.influence", "by_unit"),
    ("evaluator.scoring._score", "score_outputs"),
)
_FOREIGN: tuple[Wanted, ...] = (
    ("evaluator.scoring._plugins", "with_plugin"),
    ("evaluator.metrics.plugin_child", None),
    ("evaluator.metrics._plugin", None),
)
"""How metrics that are not built in are computed."""

_COMPARISON: Wanted = ("evaluator.metrics.fairness", "BetweenGroups")
_OF_COMPARISONS: tuple[Wanted, ...] = (
    ("evaluator.scoring._fairness", "fairness_reports"),
    ("evaluator.scoring._fairness", "joined_bounds"),
    ("evaluator.scoring._groups", "groups_of"),
)
"""What scoring has for metrics that compare another one between groups."""

_EDGES = (
    "evaluator.digests",
    "evaluator.metrics.registry",  # it names every metric
    "evaluator.outputs._check",
    "evaluator.scoring._report",  # the form of what is told
    "evaluator.spec",  # what a challenge file says is compared as it stands
    "evaluator.verdicts",
    "evaluator.version",
)
_UNCROSSED = (
    ("evaluator.scoring", "evaluator.metrics"),
    ("evaluator.scoring", "evaluator.scoring._fairness"),
)
"""Scoring knows metrics of every kind; each is reached from its own row only."""

_SENTENCES = ("EXACT", "FEW_SITES", "ONE_SITE", "OUTSIDE", "UNDRAWN", "UNGROUPED", "UNVARYING")

_HIDDEN: tuple[Wanted, ...] = (
    ("evaluator.outputs._reference", "read_label_map"),
    ("evaluator.scoring._groups", "groups_of"),
    ("evaluator.scoring._plugins", "with_plugin"),
    ("evaluator.scoring._score", "settings_of"),
    ("evaluator.scoring._score", "with_plugin"),
    *(("evaluator.scoring._intervals", one) for one in _SENTENCES),
    *(("evaluator.metrics.intervals", one) for one in ("NARROW", "WIDE")),
    ("evaluator.scoring._probe_seeds", "SEEDED"),
)
"""What only one kind or metric needs, what a report tells of its file, and sentences."""

_known: dict[tuple[str, str, str, Path], tuple[tuple[Stamp, ...], str]] = {}


def metric_digest(metric: Metric, kind: str, *, package: Path = _PACKAGE) -> str | None:
    """sha256 of the code that decides a metric's value and interval on boards over outputs of `kind`.

    It is of the definitions that the metric's row in the table refers to, and what these refer to, as the files say
    now, whatever this process has loaded. Comments, docstrings, form and the sentences of errors are not part of it. A
    metric that is not built in comes with every file of its package, and its version. None where it is not installed.

    Args:
        metric: of a board; of its parameters only what a comparison is `of` counts.
        kind: of the task's output.
        package: the folder of the evaluator's sources.
    """
    of = str(metric.parameters.get("of", ""))
    key = (metric.metric, of, kind, package)
    known = _known.get(key)
    if known is not None and all(stamp(at[0]) == at for at in known[0]):
        return known[1]
    closure = Closure({"evaluator": package}, _EDGES, _UNCROSSED, (*_HIDDEN, *_models()))
    plugins: list[Plugin] = []
    try:
        plugins += _taken(closure, metric.metric)
        if closure.has(_COMPARISON):
            closure.add(*_OF_COMPARISONS)
            plugins += _taken(closure, of) if of else ()
        plugins += _taken_way(closure, kind_of(kind))
    except _NotInstalledError:
        return None
    closure.add(*_EVERY)
    digest = sha256(kind, *_said(closure), *(plugin.digest for plugin in plugins))
    stamps = (*closure.files.values(), *(at for plugin in plugins for at in plugin.stamps))
    if all(map(is_settled, stamps)):
        _known[key] = (stamps, digest)
    return digest


class _NotInstalledError(Exception):
    """Neither a row nor a package has the metric."""


def _taken(closure: Closure, name: str) -> list[Plugin]:
    """Takes in a metric from its row, or from its package, which it then returns."""
    if any(closure.add_row(table, name) for table in _TABLES):
        return []
    plugin = _package_of(name)
    closure.add(*_FOREIGN, *plugin.wanted(closure))
    return [plugin]


def _package_of(name: str) -> Plugin:
    plugin = find_plugin(name)
    if plugin is None:
        raise _NotInstalledError
    return plugin


def _taken_way(closure: Closure, kind: Kind) -> list[Plugin]:
    """Takes in how a board over outputs of a kind is scored; what is not ours of it comes with its whole package."""
    packages = {}
    for module, name in _way(kind):
        top = module.partition(".")[0]
        if top in closure.packages:
            closure.add((module, name))
        else:
            packages[top] = _package_of(f"{module}:{name}")
    for plugin in packages.values():
        closure.add(*plugin.wanted(closure))
    return list(packages.values())


def _way(kind: Kind) -> Iterator[Wanted]:
    """How a board over outputs of this kind is scored."""
    yield kind.decode.__module__, kind.decode.__qualname__
    labels = kind.labels
    functions: list[Callable[..., Any] | None] = []
    if isinstance(labels, Cells):
        functions = [labels.read]
    elif isinstance(labels, Files):
        functions = [labels.read, labels.case, labels.dataset]
    for function in filter(None, functions):
        yield function.__module__, function.__qualname__
    for place in (kind.scorer, *kind.code):
        module, _, name = place.partition(":")
        yield module, name or None


def _models() -> Iterator[Wanted]:
    """The models of outputs: what a challenge file says is compared as it stands."""
    for kind in rows():
        yield kind.model.__module__, kind.model.__name__


def _said(closure: Closure) -> Iterator[str]:
    for key, text in sorted(closure.texts.items()):
        yield key
        yield text
