"""A second challenge on the same installation: FOMO26 with a track per habit, so that one image can have them all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.spec import Challenge
from tests.e2e.installation import Installation
from tests.e2e.people import Json, Person

HABITS = {
    "exits_3": ("task5", "exit_code", "ended with an exit code other than 0"),
    "hangs": ("task5", "timeout", "still running when the time limit"),
    "eats_memory": ("task5", "out_of_memory", "more memory than the challenge allows"),
    "fills_output": ("task5", "disk_full", "wrote more to its disk"),
    "forks_without_end": ("task5", "too_many_processes", "more processes and threads"),
    "writes_nothing": ("task5", "output_missing:missing", "there is no file at the --output path"),
    "doubled_suffix": ("task2", "output_missing:missing", "there is no file at the --output path"),
    "symlink": ("task5", "output_invalid:not_a_regular_file", "does not pass the checks"),
    "four_dimensions": ("task2", "output_invalid:dimensions", "does not pass the checks"),
    "not_a_number": ("task5", "output_invalid:finite", "does not pass the checks"),
    "wrong_shape": ("task2", "output_invalid:shape", "does not pass the checks"),
    "pickled": ("task6", "output_invalid:npy", "does not pass the checks"),
    "gzip_bomb": ("task2", "output_invalid:too_large", "does not pass the checks"),
}
"""What a container does: on which task, the verdict of it, and what the sentence says."""

CURIOUS = ("opens_sockets", "looks_for_other_cases")
SLOWLY = ("slowly_undisturbed", "slowly_killed", "slowly_killed_thrice", "slowly_stopped")
TASKS = ("task2", "task5", "task6")


def challenge_of_habits(fomo26: Challenge) -> Challenge:
    """FOMO26 under another name, with a track per habit and short patience."""
    limits = fomo26.limits.model_copy(update={"seconds_per_case": 6})
    changes = {"challenge": "habits", "tracks": ("open", *HABITS, *CURIOUS, *SLOWLY), "limits": limits}
    return fomo26.model_copy(update=changes)


@dataclass
class Bench:
    """A team of the challenge with an honest image and one that has every habit."""

    person: Person
    honest: str
    hostile: str
    programless: str
    sent: dict[str, Json] = field(default_factory=dict)

    def submit(self, habits: Iterable[str], *, phase: str = "validation") -> None:
        for habit in habits:
            task = HABITS[habit][0] if habit in HABITS else "task5"
            self.sent[habit] = self.person.submitted({task: self.hostile}, track=habit, phase=phase)

    def ended(self, name: str) -> Json:
        """The only evaluation of what was sent under `name`, once it has ended."""
        self.sent[name] = self.person.wait(self.sent[name])
        evaluation: Json = self.sent[name]["evaluations"][0]
        return evaluation


def prepare(running: Installation, spec: Challenge, folder: Path, write: Callable[..., Path]) -> None:
    """The challenge with hidden cases for its tasks, and public ones for task5."""
    running.apply(spec)
    for task in TASKS:
        running.import_task(spec.challenge, "validation", task, write(spec, task, folder))
    running.import_task(spec.challenge, "sanity", "task5", write(spec, "task5", folder / "public", seed=1))
