"""The closed lists of what can come of a case run: whose fault it is stands in the type.

A participant's fault may spend an attempt; a platform fault never does and is run again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """Participant faults: what a container did wrong."""

    EXIT_CODE = "exit_code"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    TOO_MANY_PROCESSES = "too_many_processes"
    OUTPUT_MISSING = "output_missing"
    OUTPUT_INVALID = "output_invalid"
    NO_START = "no_start"


class PlatformFault(StrEnum):
    """Platform faults: the case goes back to the queue, nobody's attempt is spent."""

    ENGINE_UNAVAILABLE = "engine_unavailable"
    IMAGE_MISSING = "image_missing"
    INPUT_MISSING = "input_missing"
    WORKER_LOST = "worker_lost"
    GPU_FAULT = "gpu_fault"
    SCORER_FAILED = "scorer_failed"
    SCORER_LOST = "scorer_lost"


class Check(StrEnum):
    """Names of the output checks; the first one that fails is reported."""

    MISSING = "missing"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    TOO_LARGE = "too_large"
    # txt
    ENCODING = "encoding"
    ONE_VALUE = "one_value"
    DECIMAL_FLOAT = "decimal_float"
    FINITE = "finite"
    RANGE = "range"
    ONE_PER_CLASS = "one_per_class"
    # nifti
    GZIP = "gzip"
    HEADER = "header"
    AFFINE = "affine"
    DIMENSIONS = "dimensions"
    INTEGER_VALUES = "integer_values"
    SHAPE = "shape"
    LABELS = "labels"
    # npy
    NPY = "npy"
    FLOATING_DTYPE = "floating_dtype"
    VECTOR = "vector"
    # json
    JSON = "json"
    FIELDS = "fields"
    COUNT = "count"
    # across the cases of a run
    EQUAL_WIDTH = "equal_width"


HINTS: dict[Fault, str] = {
    Fault.EXIT_CODE: "The command ended with an exit code other than 0.",
    Fault.TIMEOUT: "The command was still running when the time limit for one case was over.",
    Fault.OUT_OF_MEMORY: "The container used more memory than the challenge allows and was stopped.",
    Fault.DISK_FULL: "The container wrote more to its disk than the challenge allows.",
    Fault.TOO_MANY_PROCESSES: "The container tried to have more processes and threads than the challenge allows.",
    Fault.OUTPUT_MISSING: "The command ended with exit code 0 but there is no file at the --output path.",
    Fault.OUTPUT_INVALID: "The output file was written but does not pass the checks of its kind.",
    Fault.NO_START: "The command could not be started: the image cannot be loaded, or its program is not in it "
    "or cannot be executed.",
}
"""The platform's own sentence per participant fault; hidden phases never show container text."""

OUTPUT_FULL = "The container wrote more to /output than the challenge allows."
SHM_FULL = "The command ended with an exit code other than 0, and /dev/shm was full."
"""What stands in place of the sentence of `disk_full` and of `exit_code` where more is known."""

VALID = "valid"
"""The code of a case with an output that may be scored."""


def code_of(fault: Fault | None, check: Check | None = None) -> str:
    """How a verdict is stored and shown: `valid`, a fault, or `output_invalid:<check>`."""
    if fault is None:
        return VALID
    return f"{fault}:{check}" if check else fault.value


def fault_of(code: str) -> Fault:
    """The fault that the code of a failure names.

    Raises:
        ValueError: the code is valid, or none.
    """
    return Fault(code.partition(":")[0])


CLASSES: tuple[str, ...] = tuple(
    code_of(fault, check)
    for fault in Fault
    for check in (None, *(Check if fault is Fault.OUTPUT_INVALID else ()))
)
"""Every class of failure in a fixed order: a fault, and for outputs the check that failed."""


def commonest(counts: Mapping[str, int]) -> str:
    """The class of most failures; of several with as many the first in the order of CLASSES, whatever the data are.

    counts: failures by class, at least one.
    """
    places = {code: place for place, code in enumerate(CLASSES)}
    return min(counts, key=lambda code: (-counts[code], places.get(code, len(places)), code))


@dataclass(frozen=True)
class Verdict:
    """What came of one case run that ended by the container's own doing.

    `fault` is None for a valid output. `check` names the failed output check of an `output_invalid`. `message`
    is the platform's own sentence and holds no text of the container and no case name.
    """

    fault: Fault | None
    message: str
    check: Check | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def valid(self) -> bool:
        """Whether the case has an output that may be scored."""
        return self.fault is None

    @property
    def code(self) -> str:
        """The code shown to participants, see `code_of`."""
        return code_of(self.fault, self.check)
