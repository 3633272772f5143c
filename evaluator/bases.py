"""What values of two evaluations have to have in common to be compared: what ran, and how it was scored.

Both are JSON, kept as they are and not as a digest, so that it can be said afterwards what differs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from evaluator.digests import metric_digest, same_values
from evaluator.resampling import DRAWS
from evaluator.scoring import parameters_of, same_setting
from evaluator.spec import Challenge

Base = Mapping[str, Any]

_HARMLESS = ("first_cases", "image", "log", "seconds_per_evaluation", "stop_after_failures_in_a_row")
"""Limits that let an evaluation run to its end or not, and change no value of one that did."""

_UNKNOWN = "how it was scored is not known"


def run_base(challenge: Challenge, task: str) -> dict[str, Any]:
    """What containers of a task are run on and with: inputs, call, output and the limits that a value may depend on."""
    base = challenge.tasks[task].model_dump(mode="json", include={"inputs", "call", "output"})
    limits = challenge.limits_of(task).model_dump(mode="json")
    return base | {"limits": {name: value for name, value in limits.items() if name not in _HARMLESS}}


def scoring_base(challenge: Challenge, board: str) -> dict[str, Any]:
    """How a board is scored here and now.

    Its metrics by key with their names, parameters and the digest of the code that is installed (None: it is not),
    and what else decides values and intervals. Titles, the primary metric, weights and the ranking rule do not.
    draws: the version of how cases are drawn, by which no value differs.
    """
    spec = challenge.boards[board]
    kind = challenge.tasks[spec.task].kind
    base = spec.model_dump(mode="json", include={"bootstrap", "probe", "groups"})
    for group in base["groups"]:
        del group["enough"]  # a mark in the report
    metrics = {
        key: {
            "metric": metric.metric,
            "parameters": parameters_of(metric, kind),
            "code": metric_digest(metric, kind.name),
        }
        for key, metric in spec.metrics.items()
    }
    return base | {"metrics": metrics, "draws": DRAWS}


def run_differences(then: Base, now: Base) -> list[str]:
    """What differs between two ways to run a task, in words; nothing if they are the same."""
    if then == now:
        return []
    fields = [_changed(name, then.get(name), now.get(name)) for name in ("inputs", "call", "output")]
    old, new = then.get("limits", {}), now.get("limits", {})
    limits = [_told(f"limits.{name}", old.get(name), new.get(name)) for name in sorted({*old, *new})]
    return [difference for difference in (*fields, *limits) if difference]


def scoring_differences(then: Base | None, now: Base) -> list[str]:
    """What differs between how a board was scored and how it is, in words; nothing if its values are comparable.

    Args:
        then: what was kept of the scoring, None if nothing was.
        now: how the board is scored; a metric that is not installed is taken for unchanged, as nothing can be known.
    """
    if then is None:
        return [_UNKNOWN]
    if then == now:
        return []
    settings = [
        difference
        for name in ("bootstrap", "probe")
        for difference in _fields(name, then.get(name) or {}, now.get(name) or {})
    ]
    groups = _changed("groups", then.get("groups"), now.get("groups"))
    metrics = [
        difference
        for key, new in now["metrics"].items()
        for difference in _metric(key, then["metrics"].get(key), new)
    ]
    return [*metrics, *settings, *([groups] if groups else [])]


def stale_metrics(then: Base | None, now: Base) -> list[str]:
    """The keys of a board's metrics whose code is another by now, though they are called and set as they were."""
    old = {} if then is None else then["metrics"]
    return [
        key
        for key, new in now["metrics"].items()
        if key in old
        and old[key]["metric"] == new["metric"]
        and same_setting(old[key]["parameters"], new["parameters"])
        and _is_other_code(old[key], new)
    ]


def _metric(key: str, old: Base | None, new: Base) -> Iterator[str]:
    if old is None:
        yield f"{key} was not scored"
    elif old["metric"] != new["metric"]:
        yield f"{key} was {old['metric']}, now {new['metric']}"
    else:
        yield from _fields(key, old["parameters"], new["parameters"])
        if _is_other_code(old, new):
            yield f"the code of {key}"


def _is_other_code(old: Base, new: Base) -> bool:
    """Whether a metric's code may make other values than it did; one that is not installed is taken for unchanged."""
    return new["code"] is not None and not same_values(old["code"], new["code"])


def _fields(place: str, old: Base, new: Base) -> list[str]:
    told = [_told(f"{place}.{name}", old.get(name), new.get(name)) for name in sorted({*old, *new})]
    return [sentence for sentence in told if sentence]


def _changed(name: str, old: object, new: object) -> str:
    return "" if same_setting(old, new) else name


def _told(name: str, old: object, new: object) -> str:
    """A field with its old and new value where these are short."""
    if same_setting(old, new):
        return ""
    words = f"{name} {_short(old)} → {_short(new)}"
    return words if len(words) <= 80 else name


def _short(value: object) -> str:
    return "none" if value is None else str(value)
