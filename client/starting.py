"""What `proctor init` writes: a program that keeps a task's contract, what builds it, cases, a test and a page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, StrictUndefined

from client.errors import WrongUsage
from client.kinds import TEMPLATES
from client.progress import size
from client.rules import ChallengeRules
from client.sample_cases import sample_cases
from contract import run_words, skeleton
from contract.texts import listed
from evaluator.spec import Limits, Phase, Task
from evaluator.terminal import in_line

_DOCKERIGNORE = """\
# What no image needs, your cases above all.
cases
challenge.yaml
predict.def
test_predict.py
README.md
*.sif
*.tar
.git
.venv
**/__pycache__
.pytest_cache
"""


@dataclass(frozen=True)
class Start:
    """A task of a challenge to begin with. known: its server has this challenge, so that there is where to send to."""

    rules: ChallengeRules
    name: str
    known: bool
    invoke: bool = False

    @property
    def task(self) -> Task:
        """The task itself."""
        return self.rules.spec.tasks[self.name]


def skeleton_files(start: Start) -> Mapping[str, bytes]:
    """The files of the skeleton by their path, the program that the challenge's page shows among them.

    Raises:
        WrongUsage: there is none for the task's kind of output, or for how its program is called.
    """
    task = start.task
    program, dockerfile = (
        skeleton.program(task, invoke=start.invoke),
        skeleton.dockerfile(task, invoke=start.invoke),
    )
    if program is None:
        raise WrongUsage(
            f"There is no skeleton for outputs of the kind {task.output.kind!r}, which {start.name} has.",
            "The challenge's page says what its program has to do.",
        )
    if dockerfile is None:
        raise WrongUsage(
            f"There is no skeleton for {start.name}, whose program is called as `{' '.join(task.call or ())}`.",
            "Skeletons are programs that `python` starts at an absolute path.",
        )
    files = {"predict.py": program, "Dockerfile": dockerfile, "predict.def": skeleton.definition(task) or ""}
    if requirements := skeleton.requirements(task):
        files["requirements.txt"] = requirements
    files["test_predict.py"] = _rendered("test_predict.txt", task=start.name, invoke=start.invoke)
    files["README.md"] = _rendered("README.md", **_page(start), requirements=requirements, definition=True)
    return {**_encoded({**files, ".dockerignore": _DOCKERIGNORE}), **companions(start)}


def companions(start: Start) -> Mapping[str, bytes]:
    """The challenge's file and two cases."""
    cases = {f"cases/{path}": content for path, content in sample_cases(start.task).items()}
    return {"challenge.yaml": start.rules.text.encode(), **cases}


def baseline_page(start: Start) -> bytes:
    """The page beside the PyTorch template."""
    return _rendered("baseline.md", **_page(start)).encode()


def _page(start: Start) -> Mapping[str, Any]:
    """What a page of the folder says of the task, by the names of its template."""
    spec, task = start.rules.spec, start.task
    limits = spec.limits_of(start.name)
    return {
        "title": in_line(task.title),
        "slug": spec.challenge,
        "task": start.name,
        "files": [_files_of(entry) for entry in task.inputs],
        "call": in_line(run_words.call_of(task)),
        "alternatives": list(map(in_line, run_words.alternatives_of(task))),
        "short": in_line(run_words.short(task.output)),
        "counts": list(map(in_line, run_words.whole(task.output))),
        "seconds": f"{limits.seconds_per_case:g}",
        "share": listed(_share(limits)),
        "invoke": _about_invoke(limits.invoke) if start.invoke else "",
        "fetch": skeleton.FETCH,
        "try": f"proctor try --task {start.name} --cases cases --challenge challenge.yaml",
        "url": start.rules.url,
        **_sending(start),
    }


def _share(limits: Limits) -> Iterator[str]:
    """What a case is given of a machine."""
    yield f"{size(limits.memory).replace('.0 ', ' ')} of memory"
    yield f"{limits.cpus:g} core{'s' if limits.cpus != 1 else ''}"
    if limits.gpu and limits.gpu.count:
        yield f"{limits.gpu.count} GPU{'s' if limits.gpu.count > 1 else ''}"


def _files_of(entry: Any) -> str:
    """The name of an input's file, or of those of which a case has one."""
    return "` or `".join(one.file for one in getattr(entry, "one_of", (entry,)))


def _about_invoke(allowed: bool) -> str:
    if allowed:
        return (
            "The challenge allows it: one container may answer many cases, of a Docker image with the label."
        )
    return (
        "The challenge does not allow it now, and starts a container for each case; the label is passed over."
    )


def _sending(start: Start) -> Mapping[str, str]:
    """How the image is submitted, and what that costs."""
    spec = start.rules.spec
    if not start.known:
        return {"submit": "", "phase": ""}
    name, phase = _first_phase(spec.phases)
    words = f"proctor submit --challenge {spec.challenge} --task {start.name} --track {spec.tracks[0]}"
    tracks = f"Tracks: {listed(spec.tracks)}. " if len(spec.tracks) > 1 else ""
    others = [one for one in spec.phases if one != name]
    more = f" Other phases: {listed(others)}." if others else ""
    hidden = (
        "hidden: nobody is shown how a single one went"
        if phase.hidden
        else "public: you read each case's log"
    )
    return {
        "submit": f"{words} --phase {name} --watch",
        "phase": f"{tracks}The cases of the phase {name} are {hidden}.{more}",
    }


def _first_phase(phases: Mapping[str, Phase]) -> tuple[str, Phase]:
    """The one to begin with: of public cases, or else the first."""
    public = next(((name, phase) for name, phase in phases.items() if not phase.hidden), None)
    return public or next(iter(phases.items()))


def _rendered(template: str, **values: Any) -> str:
    # Nothing here is HTML, and what a challenge's file says goes in as one line.
    environment = Environment(  # noqa: S701
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    return environment.from_string((TEMPLATES / template).read_text(encoding="utf-8")).render(values)


def _encoded(files: Mapping[str, str]) -> Mapping[str, bytes]:
    return {name: text.encode() for name, text in files.items()}
