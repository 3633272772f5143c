"""The platform's sentences on verdicts, with the limit that a container ran into."""

from collections.abc import Callable

from evaluator.spec._tasks import Limits
from evaluator.spec.limits import size_in_words
from evaluator.verdicts import HINTS, OUTPUT_FULL, SHM_FULL, Fault


def _of_output(limits: Limits) -> str:
    return f"{size_in_words(limits.output)} in {limits.output_files:,} files"


_LIMITS: dict[str, Callable[[Limits], str]] = {
    HINTS[Fault.TIMEOUT]: lambda limits: f"{limits.seconds_per_case:g} s",
    HINTS[Fault.OUT_OF_MEMORY]: lambda limits: size_in_words(limits.memory),
    HINTS[Fault.DISK_FULL]: lambda limits: f"{size_in_words(limits.disk)}; /output {_of_output(limits)}",
    HINTS[Fault.TOO_MANY_PROCESSES]: lambda limits: f"{limits.processes:,} processes and threads",
    OUTPUT_FULL: _of_output,
    SHM_FULL: lambda limits: size_in_words(limits.shm),
}


def with_limit(sentence: str, limits: Limits) -> str:
    """A sentence on a verdict with the limit that it speaks of, "… and was stopped (limit: 3 GiB)."; others stay."""
    limit = _LIMITS.get(sentence)
    return sentence if limit is None else f"{sentence.removesuffix('.')} (limit: {limit(limits)})."
