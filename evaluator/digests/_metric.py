"""The digest of one metric: its own code, and that of the way on which a board of its kind is scored."""

from collections.abc import Iterator
from pathlib import Path

from evaluator.digests._closure import Closure, Wanted
from evaluator.digests._plugin import Plugin, find_plugin
from evaluator.digests._source import Stamp, is_settled, sha256, stamp
from evaluator.spec import Metric

_PACKAGE = Path(__file__).parents[1]
_TABLES = (
    "evaluator.metrics._of_cases",
    "evaluator.metrics._of_datasets",
    "evaluator.metrics.registry",
)
_WAYS: dict[str, tuple[Wanted, ...]] = {
    "segmentation": (
        ("evaluator.scoring._cases", "score_segmentations"),
        ("evaluator.metrics.segmentation", None),
        ("evaluator.metrics.weighted", "weighted_mean"),
        ("evaluator.outputs._labelmap", "decode"),
        ("evaluator.outputs._reference", "read_label_map"),
    ),
    "number": (("evaluator.scoring._dataset", "score_numbers"), ("evaluator.outputs._number", "decode")),
    "scores": (("evaluator.scoring._classes", "score_classes"), ("evaluator.outputs._scores", "decode")),
    "embedding": (("evaluator.scoring._probe", "score_probe"), ("evaluator.outputs._embedding", "decode")),
}
"""How a board is scored, by the kind of its task's output."""

_EVERY: tuple[Wanted, ...] = (
    ("evaluator.manifest", "load_references"),
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

_HIDDEN: tuple[Wanted, ...] = (
    ("evaluator.outputs._reference", "read_label_map"),
    ("evaluator.scoring._groups", "groups_of"),
    ("evaluator.scoring._plugins", "with_plugin"),
    *(("evaluator.scoring._score", one) for one in ("_KINDS", "with_plugin")),
    *(("evaluator.scoring._intervals", one) for one in ("EXACT", "OUTSIDE", "UNDRAWN", "UNVARYING")),
)
"""What only one kind or metric needs, and sentences."""

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
    if known is not None and all(stamp(one[0]) == one for one in known[0]):
        return known[1]
    closure = Closure({"evaluator": package}, _EDGES, _UNCROSSED, _HIDDEN)
    plugins: list[Plugin] = []
    try:
        plugins += _taken(closure, metric.metric)
        if closure.has(_COMPARISON):
            closure.add(*_OF_COMPARISONS)
            plugins += _taken(closure, of) if of else ()
    except _NotInstalledError:
        return None
    closure.add(*_EVERY, *_WAYS[kind])
    digest = sha256(kind, *_said(closure), *(one.digest for one in plugins))
    stamps = (*closure.files.values(), *(one for plugin in plugins for one in plugin.stamps))
    if all(map(is_settled, stamps)):
        _known[key] = (stamps, digest)
    return digest


class _NotInstalledError(Exception):
    """Neither a row nor a package has the metric."""


def _taken(closure: Closure, name: str) -> list[Plugin]:
    """Takes in a metric from its row, or from its package, which it then returns."""
    if any(closure.add_row(table, name) for table in _TABLES):
        return []
    plugin = find_plugin(name)
    if plugin is None:
        raise _NotInstalledError
    closure.add(*_FOREIGN, *plugin.wanted(closure))
    return [plugin]


def _said(closure: Closure) -> Iterator[str]:
    for key, text in sorted(closure.texts.items()):
        yield key
        yield text
