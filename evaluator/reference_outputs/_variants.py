"""The ways in which outputs of a task are made: right, poor, lacking, and such as no check may let through."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from evaluator.outputs import Value, encode
from evaluator.reference_outputs._truth import Truth
from evaluator.resampling import seed_of

PERFECT = "perfect"
NOTHING, CONSTANT, RANDOM, MISSING = "nothing found", "constant", "random", "every second missing"
_JUNK = 1000  # bytes


@dataclass(frozen=True)
class ReferenceVariant:
    """One way to answer.

    value: what is answered for a case, None where nothing is; None of a variant that is made of no values. raw: the
    file that is written for it. refused: whether nothing of it may be scored.
    """

    name: str
    raw: Callable[[str], bytes | None]
    value: Callable[[str], Value | None] | None = None
    refused: bool = False


def variants(truth: Truth) -> Iterator[ReferenceVariant]:
    """Every way that the kind of the task's output offers, the perfect one first."""
    yield _of_values(truth, PERFECT, truth.perfect)
    samples = truth.task.kind.samples
    if samples is not None and samples.nothing is not None:
        yield _of_values(truth, NOTHING, partial(_made, truth, samples.nothing))
    yield _of_values(truth, CONSTANT, _constant(truth))
    yield _of_values(truth, RANDOM, _random(truth))
    answered = frozenset(truth.manifest.names[::2])
    # A probe is trained on answers to the cases that it is given: without them a run is none.
    yield _of_values(
        truth,
        MISSING,
        lambda case: truth.perfect(case) if case in answered else None,
        refused=truth.task.kind.probed,
    )
    yield ReferenceVariant("no file", lambda case: None, refused=True)
    yield ReferenceVariant("empty file", lambda case: b"", refused=True)
    yield ReferenceVariant("random bytes", partial(_junk, truth), refused=True)
    for name in _forbidden(truth, truth.manifest.names[0]):
        yield ReferenceVariant(name, partial(_of_forbidden, truth, name), refused=True)


def _of_values(
    truth: Truth, name: str, value: Callable[[str], Value | None], *, refused: bool = False
) -> ReferenceVariant:
    def raw(case: str) -> bytes | None:
        found = value(case)
        return None if found is None else encode(truth.task, found)

    return ReferenceVariant(name, raw, value, refused)


def _made(truth: Truth, make: Callable[..., Value], case: str) -> Value:
    return make(truth.task.output, truth.perfect(case))


def _constant(truth: Truth) -> Callable[[str], Value]:
    samples = truth.task.kind.samples
    if samples is not None and samples.constant is not None:
        return partial(_made, truth, samples.constant)
    first = truth.perfect(truth.manifest.names[0])
    return lambda case: first


def _random(truth: Truth) -> Callable[[str], Value]:
    """What the kind draws, else the labels of other cases; the same for the same cases."""
    samples, names = truth.task.kind.samples, truth.manifest.names
    if samples is not None and samples.random is not None:
        draw = samples.random
        return lambda case: draw(truth.task.output, truth.perfect(case), _stream(truth, case))
    dealt = _stream(truth, "").permutation(len(names))
    others = {case: names[place] for case, place in zip(names, dealt, strict=True)}
    return lambda case: truth.perfect(others[case])


def _junk(truth: Truth, case: str) -> bytes:
    return _stream(truth, case).bytes(_JUNK)


def _forbidden(truth: Truth, case: str) -> Mapping[str, bytes]:
    """Files that the checks have to refuse, by what is wrong with them."""
    samples = truth.task.kind.samples
    if samples is None:
        return {}
    return samples.refused(truth.task.output, encode(truth.task, truth.perfect(case)))


def _of_forbidden(truth: Truth, name: str, case: str) -> bytes | None:
    return _forbidden(truth, case).get(name)


def _stream(truth: Truth, salt: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed_of(f"{truth.manifest.digest} reference outputs {salt}")))
