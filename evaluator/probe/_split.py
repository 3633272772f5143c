"""The split of a probe's cases into training, validation and test, by labels, ages and seed only."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.spec import Probe

_UNKNOWN_AGE = -1
_OLDEST_DECADE = 90


class SplitError(ValueError):
    """A class has too few cases for the split that the challenge asks for."""


@dataclass(frozen=True)
class Split:
    """Positions of the cases in the manifest, class by class; `classes` are the sorted distinct labels."""

    classes: tuple[str, ...]
    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]


def split_cases(labels: Sequence[str], ages: Sequence[float | None], probe: Probe) -> Split:
    """The split of cases given in manifest order, each class with its own random stream.

    Within a class the test cases are drawn per decade of age, so that they are as old as the others.

    Raises:
        SplitError: fewer than two classes, or one with less than n_val + n_test + 1 cases.
    """
    classes = tuple(sorted(set(labels)))
    if len(classes) < 2:
        raise SplitError("a probe needs cases of at least two classes")
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for name in classes:
        members = [position for position, label in enumerate(labels) if label == name]
        if len(members) <= probe.n_val + probe.n_test:
            raise SplitError(
                f"class {name!r} has {len(members)} cases; {probe.n_val} for validation and {probe.n_test} "
                "for test leave none for training"
            )
        for part, cases in zip(parts, _split_class(members, ages, probe), strict=True):
            part.extend(cases)
    return Split(classes, *(tuple(part) for part in parts))


def _split_class(
    members: list[int], ages: Sequence[float | None], probe: Probe
) -> tuple[list[int], list[int], list[int]]:
    stream = random.Random(probe.seed)  # noqa: S311 - a reproducible split, not a secret
    total = probe.n_train + probe.n_val + probe.n_test
    strata: dict[int, list[int]] = {}
    for position in members:
        strata.setdefault(_decade(ages[position]), []).append(position)
    test: list[int] = []
    rest: list[int] = []
    for decade in sorted(strata):
        stratum = strata[decade]
        stream.shuffle(stratum)
        count = round(len(stratum) * probe.n_test / total)
        test += stratum[:count]
        rest += stratum[count:]
    stream.shuffle(test)
    stream.shuffle(rest)
    short = max(probe.n_test - len(test), 0)
    test, rest = (test + rest[:short])[: probe.n_test], rest[short:] + test[probe.n_test :]
    val, train = rest[: probe.n_val], rest[probe.n_val :]
    stream.shuffle(train)
    return train, val, test


def _decade(age: float | None) -> int:
    return _UNKNOWN_AGE if age is None else min(int(age) // 10 * 10, _OLDEST_DECADE)
