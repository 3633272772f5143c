"""What `proctor init` decides: which rules, which task of them, and from which template."""

from pathlib import Path

from client.baseline import FOMO26, baseline_files, fomo26
from client.errors import NotSignedIn, WrongUsage
from client.folders import require_empty, write_folder
from client.kinds import KINDS, made_rules
from client.rules import ChallengeRules, read_rules, require_task
from client.starting import Start, skeleton_files

TEMPLATES = ("skeleton", "baseline")


def begin(
    folder: Path, task: str | None, kind: str | None, challenge: str | None, *, template: str, invoke: bool
) -> None:
    """Writes the folder.

    Raises:
        ClientError: it is there and not empty, or there is nothing to write for what was named; nothing is written.
    """
    if template not in TEMPLATES:
        raise WrongUsage(f"There is no template {template!r}.", f"Templates: {', '.join(TEMPLATES)}.")
    require_empty(folder)
    if template == "baseline":
        if kind is not None or invoke:
            raise WrongUsage(
                "The baseline is for FOMO26's tasks, and answers many cases in one process anyway.",
                "Leave --kind and --invoke out.",
            )
        rules = fomo26() if challenge is None else _named(challenge)
        name = task or next(iter(rules.spec.tasks))  # its image serves all of them
        require_task(rules.spec, name)
        write_folder(folder, baseline_files(Start(rules, name, known=True, invoke=True)))
        return
    rules = _rules(task, kind, challenge)
    name = _task(rules, task)
    write_folder(folder, skeleton_files(Start(rules, name, known=kind is None, invoke=invoke)))


def _rules(task: str | None, kind: str | None, challenge: str | None) -> ChallengeRules:
    if kind is not None:
        return made_rules(kind)
    if challenge is not None:
        return _named(challenge)
    if task is not None:
        return fomo26()
    raise WrongUsage(
        "What is it for?",
        f"--task of FOMO26 or of a --challenge, or --kind without one: {', '.join(KINDS)}.",
    )


def _named(challenge: str) -> ChallengeRules:
    try:
        return read_rules(challenge)
    except NotSignedIn as error:
        if challenge != FOMO26:
            raise
        hint = f"{error.hint} Or leave --challenge out: FOMO26's tasks are known without a server."
        raise NotSignedIn(error.message, hint) from None


def _task(rules: ChallengeRules, task: str | None) -> str:
    if task is None:
        if len(rules.spec.tasks) > 1:
            raise WrongUsage("Name a task with --task.", f"Tasks: {', '.join(rules.spec.tasks)}.")
        return next(iter(rules.spec.tasks))
    require_task(rules.spec, task)
    return task
