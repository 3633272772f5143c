"""The flags of a task as Python's argparse takes them."""

import keyword

from evaluator.spec import OneOf, Task


def value_of(flag: str) -> str:
    """What argparse calls the value of a flag, as a name that Python takes."""
    name = flag.removeprefix("--").replace("-", "_")
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"input_{name}"


def declared(task: Task) -> str:
    """The lines that declare every input: those that all cases have, and of a group the one that a case has."""
    lines: list[str] = []
    for entry in task.inputs:
        if isinstance(entry, OneOf):
            lines.append("    one = parser.add_mutually_exclusive_group(required=True)")
            lines += [f"    one.add_argument({_words(one.flag)})" for one in entry.one_of]
        else:
            lines.append(f"    parser.add_argument({_words(entry.flag)}, required=True)")
    return "\n".join(lines)


def _words(flag: str) -> str:
    name = value_of(flag)
    return f'"{flag}"' + (f', dest="{name}"' if name.startswith("input_") else "")
