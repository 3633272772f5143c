"""Many cases in one process: a JSON line per case on standard input, a JSON line back on standard output.

The model is loaded once. Each case still has its own arguments, and the directories are emptied in between.
"""

import json
import os
import sys
import traceback

from baseline_model.call import answer_case
from baseline_model.inference import ready_model
from baseline_model.scans import CannotAnswer


def serve() -> None:
    """Answers cases until standard input ends. A case that is refused says so in one line and ends no other."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not stand between the answers
    model = ready_model()
    for line in sys.stdin:
        asked = json.loads(line)
        ok = False
        try:
            answer_case(asked["arguments"], model)
            ok = True
        except CannotAnswer as refusal:
            print(refusal, file=sys.stderr, flush=True)
        except (Exception, SystemExit):  # noqa: BLE001 - one bad case must not end the others
            traceback.print_exc()
        print(json.dumps({"case": asked["case"], "ok": ok}), file=answers, flush=True)
