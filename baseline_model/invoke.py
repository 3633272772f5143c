"""Many cases in one process: a JSON line per case on standard input, a JSON line back on standard output.

The model is loaded once. Each case still has its own arguments, and the directories are emptied in between.
"""

import json
import os
import sys
import traceback

from baseline_model.call import answer_case
from baseline_model.inference import ready_model
from baseline_model.scans import CannotAnswer, CaseFault


def serve() -> int:
    """Answers cases until standard input ends; the exit code.

    A case that is refused says so in one line and ends no other. A line that names no case is said on standard error
    and not answered, for there is nothing to name.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not stand between the answers
    try:
        model = ready_model()
    except CannotAnswer as refusal:
        print(refusal, file=sys.stderr)
        return refusal.fault
    for line in sys.stdin.buffer:  # as bytes: what is no text must not end the loop either
        ok, case = False, None
        try:
            case, arguments = _asked(line)
            if arguments is None:
                shown = line[:200].decode(errors="replace").rstrip()
                raise CannotAnswer(CaseFault.CALL, f"the line asks for no case: {shown!r}")
            answer_case(arguments, model)
            ok = True
        except CannotAnswer as refusal:
            print(refusal, file=sys.stderr, flush=True)
        except (Exception, SystemExit):  # noqa: BLE001 - one bad case must not end the others
            traceback.print_exc()
        if case is not None:
            print(json.dumps({"case": case, "ok": ok}), file=answers, flush=True)
    return 0


def _asked(line: bytes) -> tuple[str | None, list[str] | None]:
    """The case that a line names and the arguments of its call; fields of a later platform are passed over."""
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return None, None
    match asked:
        case {"case": str(case), "arguments": list(arguments)}:
            return case, arguments if all(isinstance(one, str) for one in arguments) else None
        case {"case": str(case)}:
            return case, None
    return None, None
