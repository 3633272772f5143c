"""Kinds of output: each is one row that holds all that is known of it, found by the name that challenge files use."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any, ClassVar

from pydantic import SerializeAsAny, WrapValidator

from evaluator import foreign
from evaluator.frozen import Model
from evaluator.spec._words import guess, shown
from evaluator.verdicts import Check

GROUP = "proctor.outputs"
"""Entry point group; the name of an entry point is that of a kind, and it leads to its `Kind`."""

_BUILT_IN = {
    "number": "evaluator.outputs._number:KIND",
    "scores": "evaluator.outputs._scores:KIND",
    "segmentation": "evaluator.outputs._segmentation:KIND",
    "embedding": "evaluator.outputs._embedding:KIND",
    "points": "evaluator.outputs._points:KIND",
    "table": "evaluator.outputs._table:KIND",
}
"""Where the rows are: by name, because a row stands on the models of this package."""


class UnknownKind(ValueError):
    """No usable kind of output has this name; the message says where was looked."""


class Output(Model):
    """What a container writes for a case, as a challenge file declares it; each kind has a model of its own."""

    suffix: ClassVar[str]
    """File name ending of the output."""

    kind: str


@dataclass(frozen=True)
class Canary:
    """A known answer to a known scan, with which a host shows that the whole path works.

    parameters: of the output, as in a challenge file. answer: the output file for the header and the voxels, of one
    byte each, of the scan; its source alone is brought into a container that has nothing but Python, so it uses
    integer arithmetic, and imports what it needs. sha256: of the canonical output, `unpacked` where libraries may
    pack it differently.
    """

    parameters: Mapping[str, Any]
    answer: Callable[[bytes, bytes], bytes]
    sha256: str
    unpacked: Callable[[bytes], bytes] = bytes


@dataclass(frozen=True)
class Samples:
    """What organizers try scoring with, beside what labels say: outputs that are valid and poor, or to be refused.

    refused: files by what is wrong with them, such as "wrong shape", from the canonical bytes of a valid output. The
    others are made from a valid value of the same case. nothing: a valid output that finds nothing. constant: one that
    is alike for all cases, random: one that a generator of NumPy draws; without them the first case's value is given to
    all, and values change cases.
    """

    refused: Callable[[Any, bytes], Mapping[str, bytes]]
    nothing: Callable[[Any, Any], Any] | None = None
    constant: Callable[[Any, Any], Any] | None = None
    random: Callable[[Any, Any, Any], Any] | None = None


Missing = Callable[[float, int], Any]


@dataclass(frozen=True)
class Cells:
    """Labels that are cells of references.csv.

    read: the perfect output for what a cell says, and sentences of warning; raises `evaluator.outputs.TruthError`.
    """

    read: Callable[[Any, str], tuple[Any, tuple[str, ...]]]
    files: ClassVar[tuple[str, ...]] = ("label.txt", "labels.txt")


@dataclass(frozen=True)
class Cohorts:
    """Labels that are the cohorts of the cases."""

    files: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Maps:
    """Labels that are NIfTI label maps with the shape of the inputs, `<case>.nii.gz` beside references.csv."""

    files: ClassVar[tuple[str, ...]] = ("seg.nii.gz", "seg.nii")


@dataclass(frozen=True)
class Files:
    """Labels that are files of their own, `<case><suffix>` beside references.csv.

    files: names of a case's label in a folder to import, the usual one first.
    read: the truth in a file; raises `evaluator.outputs.TruthError` with a predicate. perfect: the best output for it.
    contradicts: what a truth says that the inputs of its case (key → file) do not, as a sentence.
    reached: whether that gets the best value of a metric, from what the metric chose; it does where this is None.
    case: what metrics of single cases compare: the output's and the truth's side, and the mm of a step along each axis;
    None where the kind has no such metrics.
    dataset: what metrics of whole datasets compare: labels and scores of all cases, from what the metric chose, the
    truths, and the values, None where a case has no valid output. `missing` gives the scores that the metric puts in
    its place, from the label and the number of classes.
    """

    suffix: str
    files: tuple[str, ...]
    read: Callable[[Any, Path], Any]
    perfect: Callable[[Any, Any], Any]
    reached: Callable[[Any], bool] | None = None
    case: Callable[[Any, Any, Any], tuple[Any, Any, tuple[float, ...]]] | None = None
    dataset: Callable[[Any, Any, Sequence[Any], Sequence[Any], Missing], tuple[Any, Any]] | None = None
    contradicts: Callable[[Any, Any, Mapping[str, Path]], str | None] | None = None


Labels = Cells | Cohorts | Maps | Files
"""Where the labels of a kind lie. `files`: names of a case's label in a folder to import, the usual one first."""


@dataclass(frozen=True)
class Kind:
    """All that is known of a kind of output.

    Functions of an output take its model first. A value is what `check` makes of a file: whatever the kind wants.

    name: how challenge files call it. model: its fields there.
    check: the value of the file of a case with these inputs (key → file), and sentences of warning; raises
    `evaluator.outputs.InvalidOutput`. The file may come from a stranger, so what this may cost has a bound.
    encode: the canonical bytes of a value, the same on every platform. decode: the value that `encode` wrote; raises
    `evaluator.outputs.NotCanonical` for other bytes. same: whether two values are one answer, up to what sums in
    another order may change and no metric notices.
    unreadable: the check that fails where a file takes more memory or time than any check may.
    canary: a known answer. labels: where those of its cases lie.
    scorer: where the function is that makes the report of a board (`evaluator.scoring.Job` → `Report`), as
    `package.module:function`. material: what metrics are computed from, as their rows name it.
    one_number: whether metrics of whole datasets read one number per case, or one score per class; None where they
    read neither.
    chooses: fields that each metric of a board over such outputs takes beside its own. misfit: why a metric cannot be
    of what was chosen, as the field and a sentence, from the material it is of and what it reads.
    shaped: whether an output has the shape of an input, so that all are NIfTI. probed: whether boards need a probe.
    code: names of this package that decide values beside `scorer` and `decode`, as `package.module:name`.
    samples: what organizers try scoring with beside what labels say; without them only that is tried.
    """

    name: str
    model: type[Output]
    check: Callable[[Any, Path, Mapping[str, Path]], tuple[Any, tuple[str, ...]]]
    encode: Callable[[Any, Any], bytes]
    decode: Callable[[Any, bytes], Any]
    same: Callable[[Any, Any], bool]
    unreadable: Check
    canary: Canary
    labels: Labels
    scorer: str
    material: tuple[str, ...]
    one_number: bool | None
    chooses: type[Model] | None = None
    misfit: Callable[[Any, Any, str, str | None], tuple[str, str] | None] | None = None
    shaped: bool = False
    probed: bool = False
    code: tuple[str, ...] = ()
    samples: Samples | None = None

    def split(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields of a metric that are the kind's, and those that are the metric's own."""
        own = self.chooses.model_fields if self.chooses else {}
        return {k: v for k, v in fields.items() if k in own}, {
            k: v for k, v in fields.items() if k not in own
        }

    def chosen(self, fields: Mapping[str, Any]) -> Any:
        """What a metric with these fields is of; None where there is no choice.

        Raises:
            pydantic.ValidationError: a field is missing or of another type.
        """
        return self.chooses and self.chooses.model_validate(self.split(fields)[0])


@cache
def kind_of(name: str) -> Kind:
    """The row of the kind that a challenge file names.

    Raises:
        UnknownKind: there is none, or what was found is no row of that name.
    """
    if name in _BUILT_IN:
        kind = resolve_name(_BUILT_IN[name])
    else:
        try:
            kind = foreign.installed(GROUP, name)
        except foreign.Unusable as error:
            raise UnknownKind(f"kind of output {name!r} {error}") from None
        except LookupError:
            raise UnknownKind(f"there is no kind {name!r}; the kinds are {', '.join(kinds())}") from None
    if not isinstance(kind, Kind) or kind.name != name:
        raise UnknownKind(f"what is installed as kind of output {name!r} is no Kind of that name")
    return kind


def kinds() -> tuple[str, ...]:
    """The names of the built-in kinds, and of those that are installed beside them."""
    return (*_BUILT_IN, *(name for name in foreign.names(GROUP) if name not in _BUILT_IN))


def rows() -> Iterator[Kind]:
    """The rows of all kinds that can be used here."""
    for name in kinds():
        with suppress(UnknownKind):  # said to whoever names it
            yield kind_of(name)


def _of_its_kind(value: Any, _: object) -> Output:
    """The output as the model of the kind that it names."""
    if isinstance(value, Output):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"a mapping of fields is wanted, not {shown(value)}")
    name = value.get("kind")
    if name is None:
        raise ValueError("the field kind is missing")
    try:
        kind = kind_of(name if isinstance(name, str) else "")
    except UnknownKind:
        if name in kinds():  # installed and of no use: why is said
            raise
        hint = guess(str(name), kinds()) or f"; the kinds are {', '.join(map(repr, kinds()))}"
        raise ValueError(f"there is no kind {str(name)[:40]!r}{hint}") from None
    return kind.model.model_validate(value)


AnyOutput = SerializeAsAny[Annotated[Output, WrapValidator(_of_its_kind)]]
"""An output of any kind that is known where the challenge file is read."""
