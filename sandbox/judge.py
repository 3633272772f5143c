"""From how a container ended to its verdict: a cause outranks its symptom, a valid output outranks both."""

from evaluator.verdicts import HINTS, OUTPUT_FULL, SHM_FULL, Fault, Verdict
from sandbox.hints import hints
from sandbox.parse import Checked
from sandbox.start import not_started
from sandbox.watch import Ending, Killed

CHILD_KILLED = "A process of the container was killed for using too much memory."

_BOUNDS = (Fault.TOO_MANY_PROCESSES, Fault.DISK_FULL, Fault.OUT_OF_MEMORY)


def failed(ending: Ending, log: str) -> Verdict | None:
    """The verdict of a container that did not end with exit code 0; None if it did."""
    if ending.killed is Killed.DISK and not ending.processes_full:
        return Verdict(Fault.DISK_FULL, HINTS[Fault.DISK_FULL])
    if ending.killed is Killed.TIMEOUT:
        return cause(ending, Verdict(Fault.TIMEOUT, HINTS[Fault.TIMEOUT]))
    if ending.exit_code == 0:
        return None
    unstarted = not_started(ending.exit_code, log)
    if unstarted is not None:
        return unstarted
    message = SHM_FULL if ending.shm_full else HINTS[Fault.EXIT_CODE]
    return cause(ending, Verdict(Fault.EXIT_CODE, message))  # the number could carry data out


def too_late(verdict: Verdict) -> Verdict:
    """The verdict of a container that ended by itself after its time was over: what it ran into, or else the clock."""
    if verdict.fault in _BOUNDS:
        return verdict
    return Verdict(Fault.TIMEOUT, HINTS[Fault.TIMEOUT], warnings=verdict.warnings if verdict.valid else ())


def cause(ending: Ending, verdict: Verdict) -> Verdict:
    """The bound that explains a failing `verdict`, or the verdict itself."""
    if verdict.valid:
        return verdict
    bounds = (  # many processes often exhaust the memory too, and so does what a disk does not take fast enough
        (ending.processes_full, Fault.TOO_MANY_PROCESSES),
        (ending.disk_over, Fault.DISK_FULL),
        (ending.oom_killed, Fault.OUT_OF_MEMORY),
        (ending.disk_full, Fault.DISK_FULL),
    )
    for hit, fault in bounds:
        if hit:
            of_output = fault is Fault.DISK_FULL and ending.output_full and not ending.disk_over
            return Verdict(fault, OUTPUT_FULL if of_output else HINTS[fault], warnings=verdict.warnings)
    return verdict


def detail(verdict: Verdict, checked: Checked | None, log: str) -> str:
    """What whoever may read the log of a failed case wants to know besides."""
    if verdict.valid:
        return ""
    if checked is not None and verdict.check is checked.verdict.check is not None:
        return checked.detail
    return " ".join(hints(log))
