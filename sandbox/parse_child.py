"""Bounds this process, then reads a stranger's output file: run as `python -m sandbox.parse_child`."""

import resource
import sys

_ADDRESS_SPACE = 8 * 2**30
_CPU_SECONDS = 120
_FILE_SIZE = 4 * 2**30


def main() -> int:
    """Answer as `evaluator.outputs.child` does, within bounds that hold before it is imported."""
    bounds = (
        (resource.RLIMIT_AS, _ADDRESS_SPACE),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, _FILE_SIZE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    )
    for kind, bound in bounds:
        resource.setrlimit(kind, (bound, bound))
    from evaluator.outputs import child

    return child.main()


if __name__ == "__main__":
    sys.exit(main())
