"""What of a challenge file a board's values depend on: its reports keep it, and none of others is ranked with them."""

from collections.abc import Iterator, Mapping
from typing import Any

from evaluator.metrics.registry import is_built_in, lookup
from evaluator.spec import Board, Kind, Metric, Task

_LONGEST = 60  # characters of a value in a sentence


def settings_of(board: Board, task: Task) -> dict[str, Any]:
    """How a board is scored, as the challenge file says it with all defaults: `output`, `metrics`, `probe`, `groups`.

    Titles, the marks of small groups, the ranking rule and how cases are drawn (`bootstrap`, which a report names
    itself) are not part of it: no value differs by them.
    """
    return {
        "output": task.output.model_dump(mode="json"),
        "metrics": {
            key: {"metric": metric.metric, **parameters_of(metric, task.kind)}
            for key, metric in board.metrics.items()
        },
        "probe": None if board.probe is None else board.probe.model_dump(mode="json"),
        "groups": {group.variable: list(group.bins or ()) for group in board.groups},
    }


def parameters_of(metric: Metric, kind: Kind) -> dict[str, Any]:
    """Of a built-in metric with its defaults; the code of others is not asked: it may be older than its files."""
    given = metric.parameters
    chosen, own = kind.split(given)
    if not is_built_in(metric.metric):
        return given
    try:
        parsed: dict[str, Any] = lookup(metric.metric).parse(own).model_dump(mode="json")
    except ValueError:  # an older file, which this version would refuse
        return given
    return parsed | chosen


def same_setting(old: object, new: object) -> bool:
    """Whether both say the same; a database may give a float back as a whole number, which is not as exact."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(same_setting(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same_setting, old, new))
    if isinstance(old, int) and isinstance(new, float):
        return float(old) == new
    return old == new


def changed_settings(
    old: Mapping[str, Any], new: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, str, str]]:
    """The fields in which `old` and `new` differ, by their place in the challenge file, with both values in words."""
    for name in sorted({*old, *new}):
        before, now, place = old.get(name), new.get(name), f"{above}{name}"
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from changed_settings(before, now, f"{place}.")
        elif not same_setting(before, now):
            yield place, _told(before), _told(now)


def _told(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
