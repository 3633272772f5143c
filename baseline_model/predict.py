"""The program of the container: `python /app/predict.py --t1 … --output …`, or `--invoke` for one case after another.

One case is one short process, so it leaves out what only long ones need: collecting garbage while PyTorch loads
its hundred thousand objects (a sixth of its import), and taking all of them apart at the end (half a second).
"""

import gc
import os
import sys

gc.disable()

from baseline_model.call import main  # noqa: E402 - after the line that makes it load faster

if __name__ == "__main__":
    if sys.argv[1:] == ["--invoke"]:
        from baseline_model.invoke import serve

        gc.freeze()
        gc.enable()
        code = serve()
    else:
        code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
