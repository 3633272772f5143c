"""What an image requires of an NVIDIA driver, and whether a driver holds it, as NVIDIA's container toolkit decides it.

The toolkit reads the image's variables: several NVIDIA_REQUIRE_* have all to hold; in one of them, a space stands
between alternatives and a comma between what has to hold together. An image with CUDA_VERSION and no
NVIDIA_REQUIRE_CUDA requires that version. Sources: the README of nvidia-container-runtime, and src/cli/dsl.c of
libnvidia-container. Of a GPU's brand and architecture nothing is known here, so what is required of them may hold.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from contract.texts import listed

OLDER = "build the image with an older CUDA, or a PyTorch built for one"
"""What helps where an image's CUDA is newer than a driver takes."""

_PREFIX, _CUDA, _LEGACY = "NVIDIA_REQUIRE_", "NVIDIA_REQUIRE_CUDA", "CUDA_VERSION"
_TEGRA = "NVIDIA_REQUIRE_JETPACK"  # which the toolkit does not look at either
_PART = re.compile(r"(cuda|driver|brand|arch)(<=|>=|!=|=|<|>)([^<>=!]{1,40})", re.IGNORECASE)
_VERSION = r"[0-9]{1,5}(?:\.[0-9]{1,5}){0,3}"
_NUMBERS = re.compile(_VERSION)
_BEGINS = re.compile(r"v?([0-9]{1,5})(?:\.([0-9]{1,5}))?(?![0-9])")
_LONGEST, _REQUIREMENTS, _CHOICES, _PARTS = 16_384, 4, 40, 8
"""Characters of a variable that is read, and how much is kept: requirements, alternatives of one, parts of each."""
_COMPATIBLE = 11
"""Since this CUDA a program runs with the driver of any of the same major version."""
_SAYS = {
    ">=": "{} or newer",
    ">": "newer than {}",
    "<=": "{} or older",
    "<": "older than {}",
    "=": "{}",
    "!=": "other than {}",
}

_HOLDS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}

_Part = tuple[str, str, str]
"""What is looked at (`cuda` or `driver`), an operator, and a version."""
_Choice = tuple[_Part, ...]


DriverVersion = Annotated[str, Field(pattern=f"^{_VERSION}$", max_length=23)]
"""Such as 12.8, or 570.124.06."""


def told(version: str) -> str | None:
    """A version as a driver tells it, or None: where it knows none it writes [N/A]."""
    return version if _NUMBERS.fullmatch(version) else None


@dataclass(frozen=True)
class GpuDriver:
    """An NVIDIA driver: the newest CUDA that it takes, and its own version, empty where that is not known."""

    cuda: str
    version: str = ""


def required(environment: Mapping[str, str]) -> tuple[str, ...]:
    """What an image with these variables requires of a driver, as the toolkit writes it; empty: nothing is known.

    Each has to hold. Left out is what nobody here can tell, what stands there twice, a variable that the toolkit
    cannot read either, and what is longer than anybody writes.
    """
    said = {
        name: value
        for name, value in environment.items()
        if name.startswith(_PREFIX) and not name.startswith(_TEGRA)
    }
    if not said.get(_CUDA) and (version := _BEGINS.match(environment.get(_LEGACY, ""))):
        said[_CUDA] = f"cuda>={version[1]}.{version[2] or 0}"
    # The one of CUDA first: it is what people know.
    ordered = sorted(said.items(), key=lambda item: (item[0] != _CUDA, item[0]))
    found = (_read(text) for _, text in ordered)
    return tuple(dict.fromkeys(_written(choices) for choices in found if choices))[:_REQUIREMENTS]


def by_major(requirements: Iterable[str]) -> tuple[str, ...]:
    """The same where nothing refuses to start the image: programs then need a driver of their CUDA's major version."""
    loose = [[tuple(map(_loose, choice)) for choice in _read(one)] for one in requirements]
    return tuple(_written(choices) for choices in loose if choices)


def too_new(requirements: Iterable[str], drivers: Iterable[GpuDriver], whose: str) -> str | None:
    """A sentence where none of the drivers holds all requirements, for the image asks for a newer one.

    None where one of them may, and where there is none. whose: whose drivers these are, as in "the driver of this
    machine goes".
    """
    wanted = [_read(one) for one in requirements]
    known = sorted(drivers, key=lambda driver: (_numbers(driver.cuda), _numbers(driver.version)))
    if not known or any(all(_holds(choices, driver) for choices in wanted) for driver in known):
        return None
    newest = known[-1]
    first = next((choices[0] for choices in wanted if _is_newer(choices, newest)), None)
    if first is None:
        return None
    has = f"CUDA {newest.cuda}"
    if newest.version and any(what == "driver" for what, _, _ in first):
        has += f" (driver {newest.version})"
    return (
        f"The image asks for {listed(map(_words, first))}, and {whose} up to {has}. With a GPU it may not start, or "
        f"not find it: {OLDER}. It is not refused: an image that brings NVIDIA's forward-compatibility package "
        "(cuda-compat) may run all the same."
    )


def _is_newer(choices: list[_Choice], driver: GpuDriver) -> bool:
    """Whether the driver is too old for the alternative that is named first, and holds no other."""
    bounds = [part for part in choices[0] if part[1] in (">=", ">", "=")] if choices else []
    return not _holds(choices, driver) and not all(_meets(part, driver) for part in bounds)


def _read(text: str) -> list[_Choice]:
    """The alternatives of a requirement; none where one of them may hold anyway, or it cannot be read."""
    found: dict[_Choice, None] = {}
    for written in text.split(" ") if len(text) <= _LONGEST else ():
        parts = [_PART.fullmatch(part) for part in written.split(",") if part]
        known = [part for part in parts if part and part[1].lower() in ("cuda", "driver")]
        if not all(parts) or not all(_NUMBERS.fullmatch(part[3]) for part in known):
            return []
        if parts and not known:
            return []
        if parts:
            found[tuple(dict.fromkeys((part[1].lower(), part[2], part[3]) for part in known))] = None
    short = len(found) <= _CHOICES and all(len(choice) <= _PARTS for choice in found)
    return list(found) if short else []


def _written(choices: Iterable[_Choice]) -> str:
    return " ".join(dict.fromkeys(",".join("".join(part) for part in choice) for choice in choices))


def _holds(choices: list[_Choice], driver: GpuDriver) -> bool:
    return not choices or any(all(_meets(part, driver) for part in choice) for choice in choices)


def _meets(part: _Part, driver: GpuDriver) -> bool:
    what, relation, version = part
    own, wanted = _numbers(driver.cuda if what == "cuda" else driver.version), _numbers(version)
    if not own:
        return True
    return _HOLDS[relation](own, wanted)


@lru_cache(maxsize=1024)
def _numbers(version: str) -> tuple[int, ...]:
    """For comparing: 12.0 is as new as 12. Empty where it is no version."""
    numbers = list(map(int, version.split("."))) if _NUMBERS.fullmatch(version) else []
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _loose(part: _Part) -> _Part:
    what, relation, version = part
    major = _numbers(version)[0]
    return (
        (what, relation, str(major)) if (what, relation) == ("cuda", ">=") and major >= _COMPATIBLE else part
    )


def _words(part: _Part) -> str:
    what, relation, version = part
    return f"{'CUDA' if what == 'cuda' else 'driver'} {_SAYS[relation].format(version)}"
