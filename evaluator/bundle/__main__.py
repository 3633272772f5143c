"""`python -m evaluator.bundle FOLDER`: completes a bundle, with bounded memory and at a low priority.

A full disk ends it with 28, the number of that error; anything else that is foreseen with 1 and a sentence.
"""

import contextlib
import errno
import os
import resource
import sys
from pathlib import Path

from evaluator.bundle import BundleError, complete

_MEMORY = 8 * 2**30


def _bounded() -> None:
    os.nice(10)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _MEMORY if most == resource.RLIM_INFINITY else min(_MEMORY, most)
    with contextlib.suppress(ValueError, OSError):  # a system that does not bound it
        resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


def main() -> None:
    """Completes the bundle in the folder that is named."""
    _bounded()
    try:
        complete(Path(sys.argv[1]))
    except BundleError as error:
        sys.exit(str(error))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            sys.exit(errno.ENOSPC)
        raise


if __name__ == "__main__":
    main()
