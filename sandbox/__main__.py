"""`python -m sandbox doctor`: which bounds hold on this host."""

import sys

from evaluator.terminal import say
from sandbox.doctor import report
from sandbox.engine import Engine
from sandbox.faults import EngineFault


def main(arguments: list[str]) -> int:
    """Print the findings; exit code 0 if there is no problem, 1 if there is one, 2 for a usage error."""
    if arguments != ["doctor"]:
        say("usage: python -m sandbox doctor", err=True)
        return 2
    try:
        findings = report(Engine.connect())
    except EngineFault as fault:
        say(str(fault), err=True)
        return 1
    for finding in findings:
        say(f"{finding.level:8} {finding.name}: {finding.message} {finding.remedy}".rstrip())
    return 1 if any(finding.level == "problem" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
