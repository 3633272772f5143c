"""Computes one metric that is not built in: `python -m evaluator.metrics.plugin_child SECONDS`.

A process of its own is the one bound that holds for any code: it ends a metric that loops in C without
releasing the interpreter, works from any thread of the caller, and takes crashes with it.

Standard input is a socket: what comes is pickled, first `(name, fields)` of the metric, then a tuple per call,
`("score", data)` with `CaseData` or `DatasetData`, `("replace", label, classes)` or `("score_missing",)`. What goes
is one `CallResult` per call, a line of JSON. After SECONDS of computing in all, the import included, the process writes
where it was and exits.
"""

import faulthandler
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from itertools import islice
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict

from evaluator.metrics import DatasetMetric, NotScored
from evaluator.metrics.registry import lookup

_LEAST = 0.001  # faulthandler wants more than nothing


class CallResult(BaseModel):
    """What came of a call: its value, of "replace" a list; why it is undefined; or how it failed."""

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="constants")

    value: float | list[float] | None = None
    undefined: str | None = None
    failed: str | None = None


def main() -> None:
    """Answers calls until nothing more comes."""
    requests, answers = _wire()
    left = float(sys.argv[1])
    name, fields = pickle.load(requests)  # noqa: S301 - written by the parent
    metric: Any = None
    while True:
        try:
            call = pickle.load(requests)  # noqa: S301 - as above
        except EOFError:
            return
        began = time.monotonic()
        # A thread in C: it needs no turn of the interpreter and works where the parent is gone.
        faulthandler.dump_traceback_later(max(left, _LEAST), exit=True)
        try:
            metric = metric or _bound(name, fields)
            answer = CallResult(value=metric(*call))
        except NotScored as undefined:
            answer = CallResult(undefined=undefined.reason)
        except BaseException as error:  # noqa: BLE001 - sys.exit in a plugin is a failure like any other
            traceback.print_exc()
            answer = CallResult(failed=f"it raised {type(error).__name__}")
        faulthandler.cancel_dump_traceback_later()
        left -= time.monotonic() - began
        answers.write(answer.model_dump_json().encode() + b"\n")
        answers.flush()


def _bound(name: str, fields: dict[str, Any]) -> Callable[..., float | list[float]]:
    metric = lookup(name)
    parameters = metric.parse(fields)

    def called(what: str, *arguments: Any) -> float | list[float]:
        if what != "replace":
            return float(getattr(metric, what)(*arguments, parameters))
        if not isinstance(metric, DatasetMetric):
            raise TypeError("only metrics of whole datasets replace outputs")
        label, classes = arguments
        scores = metric.replacement(label, classes, parameters)
        return [float(number) for number in islice(scores, classes + 1)]  # one too many tells as much as all

    return called


def _wire() -> tuple[BinaryIO, BinaryIO]:
    """Both ways of the socket; the plugin has nothing to read."""
    ends = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(0), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # A fork would hold them open when this process is gone, or answer in its place.
    for end in ends:
        os.register_at_fork(after_in_child=end.close)
    return ends


if __name__ == "__main__":
    main()
