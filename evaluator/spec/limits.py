"""Limits that no container can be made with, or that no case gets through: a challenge file is refused for them.

An engine refuses them when it makes a container. There it would be the platform that failed, three times for each
evaluation, though it is the file that is wrong. Versions that are stored already are not asked again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from evaluator.spec._base import size_in_bytes
from evaluator.spec._tasks import Gpu, Limits
from evaluator.spec._words import Mistake, Path, mapping

_MIB, _TIB = 2**20, 2**40

LEAST_MEMORY = 16 * _MIB
"""Engines refuse less than 6 MiB, and today's runtimes need some more to start a program at all."""

LEAST_DISK = 4 * _MIB
"""A bounded disk counts as full when its last 2 MiB are begun: on a smaller one every failure is told as that."""

MOST_DISK = 8 * _TIB
"""The file behind a bounded disk may have no 16 TiB on ext4."""

LEAST_CPUS = 0.01
"""The smallest part of a core that the kernel gives."""

LEAST_PROCESSES = 2
"""The program, and the init process that collects its children."""

MOST_PROCESSES = 4_194_304
"""The kernel's own bound; it refuses more."""

_SIZES = {
    "memory": (LEAST_MEMORY, 64 * _TIB, "no container starts with less"),
    "shm": (_MIB, 64 * _TIB, "nothing has room in less"),
    "output": (LEAST_DISK, MOST_DISK, "a smaller disk counts as full from the start, whatever fails"),
    "disk": (LEAST_DISK, MOST_DISK, "a smaller disk counts as full from the start, whatever fails"),
    "image": (_MIB, 64 * _TIB, "no image is smaller"),
    "log": (1000, 1_000_000, "nobody can read a fault from less"),
}


def wrong_limits(content: Mapping[str, Any], *, longest_case: float | None = None) -> Iterator[Mistake]:
    """What is wrong with the limits of a challenge and of its tasks, whatever shape the rest has.

    longest_case: seconds that a case may take on this installation, where that is known.
    """
    places: list[tuple[Path, object]] = [(("limits",), content.get("limits"))]
    for name, task in mapping(content.get("tasks")).items():
        places.append((("tasks", name, "limits"), mapping(task).get("limits")))
    for path, limits in places:
        for mistake in _wrong(mapping(limits), longest_case):
            yield Mistake((*path, *mistake.path), mistake.message)


def _wrong(limits: Mapping[str, Any], longest_case: float | None) -> Iterator[Mistake]:
    for field, (least, most, why) in _SIZES.items():
        yield from _wrong_size((field,), limits.get(field), least, most, why)
    memory, shm = size_in_bytes(limits.get("memory")), size_in_bytes(limits.get("shm"))
    if memory is not None and shm is not None and shm > memory >= LEAST_MEMORY:
        more = f"{size_in_words(shm)} are more than the memory ({size_in_words(memory)})"
        yield Mistake(("shm",), f"{more}, and what lies in shm counts as memory")
    yield from _wrong_gpu(limits.get("gpu"))
    yield from _wrong_numbers(limits)
    yield from _wrong_times(limits, longest_case)
    yield from _wrong_pack(limits)


def _wrong_size(path: Path, value: object, least: int, most: int, why: str) -> Iterator[Mistake]:
    size = size_in_bytes(value)
    if size is None or size <= 0 or least <= size <= most:
        return  # what is no size at all is told by the models
    if size > most:
        yield Mistake(
            path, f"{size_in_words(size)} are more than any machine has; {size_in_words(most)} are the most"
        )
        return
    message = f"{size_in_words(size)} are less than {size_in_words(least)}, and {why}"
    if str(value).strip().isdigit():
        message += f"; a number without a unit is bytes: did you mean {value}m or {value}g?"
    yield Mistake(path, message)


def _wrong_gpu(value: object) -> Iterator[Mistake]:
    gpu = mapping(value)
    yield from _wrong_size(("gpu", "memory"), gpu.get("memory"), 64 * _MIB, _TIB, "no GPU has so little")
    count = _number(gpu.get("count"))
    if count is not None and 1 < count <= 8:
        message = f"{count:g} GPUs are given to no case: a slot has one, so every case would wait for ever"
        yield Mistake(("gpu", "count"), message)


def _wrong_numbers(limits: Mapping[str, Any]) -> Iterator[Mistake]:
    cpus, processes = _number(limits.get("cpus")), _number(limits.get("processes"))
    if cpus is not None and 0 < cpus < LEAST_CPUS:
        message = (
            f"{cpus:g} cores are less than {LEAST_CPUS:g}, the smallest part of one that a container can have"
        )
        yield Mistake(("cpus",), message)
    if processes is not None and 0 < processes < LEAST_PROCESSES:
        message = "a container has an init process beside its program: at least 2, and a few dozen for most"
        yield Mistake(("processes",), message)
    if processes is not None and MOST_PROCESSES < processes <= 10_000_000:
        yield Mistake(("processes",), f"the kernel bounds processes at {MOST_PROCESSES:,} at most")


def _wrong_times(limits: Mapping[str, Any], longest_case: float | None) -> Iterator[Mistake]:
    case, all_cases = _number(limits.get("seconds_per_case")), _number(limits.get("seconds_per_evaluation"))
    if case is None or case <= 0:
        return
    if case < 1:
        message = f"{case:g} seconds are over before a program has begun; give a case at least 1"
        yield Mistake(("seconds_per_case",), message)
    if longest_case is not None and case > longest_case:
        message = (
            f"{case:g} seconds are more than the {longest_case:g} that a case can have here: its lease ends before "
            "(PROCTOR_LONGEST_LEASE_SECONDS of the server)"
        )
        yield Mistake(("seconds_per_case",), message)
    if all_cases is not None and 0 < all_cases < case:
        message = f"{all_cases:g} seconds for all cases are less than the {case:g} that one may take"
        yield Mistake(("seconds_per_evaluation",), message)


def _wrong_pack(limits: Mapping[str, Any]) -> Iterator[Mistake]:
    pack, cpus = _number(limits.get("pack")), _number(limits.get("cpus"))
    gpus = _number(mapping(limits.get("gpu")).get("count", 1)) if limits.get("gpu") is not None else 0
    if pack is None or pack <= 1 or cpus is None or gpus is None:
        return
    promise = Limits.model_construct(cpus=cpus, gpu=Gpu.model_construct(count=int(gpus))).promised
    if promise is not None:
        message = f"each case is promised {promise}, which containers side by side would share: write pack: 1"
        yield Mistake(("pack",), message)


def _number(value: object) -> float | None:
    """A number as pydantic would read it from a file."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def size_in_words(size: int) -> str:
    """Bytes in the largest unit of which there is one: "3 GiB", "1.5 MiB"."""
    for unit, name in ((_TIB, "TiB"), (2**30, "GiB"), (_MIB, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"
