"""Many cases in one process: a JSON line per case on standard input, a JSON line back on standard output.

The model is loaded once. Each case still has its own arguments, and the directories are emptied in between.
"""

import json
import os
import sys
import traceback

from baseline_model.checkpoint import load_model
from baseline_model.inference import main


def serve() -> None:
    """Answers cases until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not stand between the answers
    model = load_model()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            main(asked["arguments"], model)
            ok = True
        except (Exception, SystemExit):  # noqa: BLE001 - one bad case must not end the others
            traceback.print_exc()
            ok = False
        print(json.dumps({"case": asked["case"], "ok": ok}), file=answers, flush=True)
