"""Computes one metric that is not built in: `python -m evaluator.metrics.plugin_child SECONDS`.

A process of its own is the one bound that holds for any code: it ends a metric that loops in C without
releasing the interpreter, works from any thread of the caller, and takes crashes with it.

- standard input, pickled: first `(name, fields)` of the metric, then a tuple per call: `("score", data)` with
  `CaseData` or `DatasetData`, `("replace", label, classes)` or `("score_missing",)`;
- standard output: one JSON object per call: `{"value"}`, of "replace" a list, `{"undefined": sentence}` or
  `{"failed": why}`;
- after SECONDS of computing in all, the import included, the process writes where it was and exits.
"""

import faulthandler
import io
import json
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from itertools import islice
from typing import Any, BinaryIO

from evaluator.metrics import DatasetMetric, NotScored
from evaluator.metrics.registry import lookup

_LEAST = 0.001  # faulthandler wants more than nothing


def main() -> None:
    """Answers calls until standard input ends."""
    requests, answers = _taken()
    clock = _Clock(float(sys.argv[1]))
    name, fields = pickle.load(requests)  # noqa: S301 - written by the parent
    metric: Any = None
    while True:
        try:
            call = pickle.load(requests)  # noqa: S301 - as above
        except EOFError:
            return
        with clock:
            try:
                metric = metric or _bound(name, fields)
                answer: dict[str, object] = {"value": metric(*call)}
            except NotScored as undefined:
                answer = {"undefined": undefined.reason}
            except BaseException as error:  # noqa: BLE001 - sys.exit in a plugin is a failure like any other
                traceback.print_exc()
                answer = {"failed": f"it raised {type(error).__name__}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _bound(name: str, fields: dict[str, Any]) -> Callable[..., object]:
    metric = lookup(name)
    parameters = metric.parse(fields)

    def replaced(label: float, classes: int) -> list[float]:
        if not isinstance(metric, DatasetMetric):
            raise TypeError("only metrics of whole datasets replace outputs")
        found = metric.replacement(label, classes, parameters)
        return [float(one) for one in islice(found, classes + 1)]  # one too many tells as much as all

    def called(what: str, *arguments: Any) -> object:
        if what == "replace":
            return replaced(*arguments)
        return getattr(metric, what)(*arguments, parameters)

    return called


def _taken() -> tuple[BinaryIO, BinaryIO]:
    """Our two pipes; what the plugin prints goes to standard error, and it has nothing to read."""
    pipes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # whoever ends this process loses no printed line
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # A fork would hold them open when this process is gone, or answer in its place.
    for pipe in pipes:
        os.register_at_fork(after_in_child=pipe.close)
    return pipes


class _Clock:
    """Ends this process when the blocks under it have taken `seconds` together."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    def __enter__(self) -> None:
        self._began = time.monotonic()
        # A thread in C: it needs no turn of the interpreter and works where the parent is gone.
        faulthandler.dump_traceback_later(max(self._left, _LEAST), exit=True)

    def __exit__(self, *_: object) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._left -= time.monotonic() - self._began


if __name__ == "__main__":
    main()
