"""A training that may be interrupted at any moment and then goes on to the same result."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from baseline_model.curves import curves
from baseline_model.faults import TrainingError, written_whole

Batch = tuple[Tensor, ...]
LOG_EVERY = 20  # steps

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Course:
    """What one training consists of. `about` names its settings and data: a state with another one is refused."""

    name: str
    steps: int
    rate: float
    decay: float
    keep_every: int
    device: torch.device
    half: bool
    about: str


def follow(
    course: Course,
    module: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    loss_of: Callable[[nn.Module, Batch], Tensor],
    state: Path,
) -> None:
    """Trains `module` in place, from where `state` says that it was interrupted, and keeps the state there.

    `batches(step)` gives the batches of the steps from `step` on. What it draws has to depend on the seed and the
    number of the step alone, not on what was drawn before: then a training that was killed ends in the same weights.

    Raises:
        TrainingError: `state` is damaged or of another training, or the loss is no longer a number.
    """
    module.to(course.device).train()
    optimiser = torch.optim.AdamW(module.parameters(), lr=course.rate, weight_decay=course.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=course.rate, total_steps=course.steps + 1
    )
    parts = {"module": module, "optimiser": optimiser, "schedule": schedule}
    first = _resumed(course, parts, state)
    shown, pace = curves(state.parent / "curves" / course.name, first), _Pace(course, first)
    recent: list[Tensor] = []
    try:
        for step, batch in enumerate(_taken(batches, first, course.steps), first):
            moved = tuple(part.to(course.device, non_blocking=True) for part in batch)
            with torch.autocast(course.device.type, dtype=torch.bfloat16, enabled=course.half):
                loss = loss_of(module, moved)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            recent.append(loss.detach())
            last = step + 1 == course.steps
            if (step + 1) % LOG_EVERY == 0 or last:
                value = _mean(course, step, recent)
                pace.say(step, value)
                shown.add_scalar("loss", value, step)
                shown.add_scalar("rate", float(schedule.get_last_lr()[0]), step)
                recent.clear()
            if (step + 1) % course.keep_every == 0 or last:
                _mean(course, step, [loss.detach()])
                _keep(course, step + 1, parts, state)
    finally:
        shown.close()
    module.eval().cpu()


def load_finished(module: nn.Module, state: Path, name: str) -> None:
    """Gives `module` the weights that the training `name` left in `state` when it was finished.

    Raises:
        TrainingError: it has not been begun or finished, or the file is damaged or of another module.
    """
    if not state.exists():
        raise TrainingError(f"{state}: the {name} has not been begun; run that stage first")
    kept = _read(state)
    if kept["step"] < kept["steps"]:
        raise TrainingError(
            f"{state}: the {name} is at step {kept['step']} of {kept['steps']}; let it finish first"
        )
    try:
        module.load_state_dict(kept["module"])
    except (RuntimeError, TypeError, AttributeError):
        raise TrainingError(f"{state}: holds another network than the {name} makes") from None
    module.eval()


def _taken(batches: Callable[[int], Iterable[Batch]], first: int, steps: int) -> Iterator[Batch]:
    """Nothing is loaded where nothing is left to do."""
    return iter(batches(first)) if first < steps else iter(())


def _mean(course: Course, step: int, losses: list[Tensor]) -> float:
    """The mean loss; reading it waits for the GPU, hence not at every step."""
    value = float(torch.stack(losses).mean())
    if not math.isfinite(value):
        raise TrainingError(
            f"{course.name}: the loss is no number at step {step + 1}; a smaller rate may help"
        )
    return value


def _keep(course: Course, step: int, parts: dict[str, Any], state: Path) -> None:
    kept = {name: part.state_dict() for name, part in parts.items()}
    kept |= {"step": step, "steps": course.steps, "about": course.about}
    written_whole(state, lambda path: torch.save(kept, path))


def _resumed(course: Course, parts: dict[str, Any], state: Path) -> int:
    """How many steps are done."""
    if not state.exists():
        return 0
    kept = _read(state)
    if kept["about"] != course.about:
        raise TrainingError(
            f"{state}: was begun with other settings or data; take another folder for this run, or remove the file"
        )
    try:
        for name, part in parts.items():
            part.load_state_dict(kept[name])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError):
        raise TrainingError(
            f"{state}: is damaged, or of another network; take another folder for this run, or remove the file"
        ) from None
    if kept["step"] < course.steps:
        log.info("%s goes on at step %d of %d", course.name, kept["step"], course.steps)
    return int(kept["step"])


def _read(state: Path) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = torch.load(state, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged file raises nearly anything, and each means this
        reason = str(error).partition("\n")[0]
        raise TrainingError(f"{state}: cannot be read as the state of a training ({reason})") from None
    match kept:
        case {"module": dict(), "step": int(step), "steps": int(steps), "about": str()} if 0 <= step <= steps:
            return kept
    raise TrainingError(f"{state}: is no state of a training")


class _Pace:
    """The log's lines, with how long the rest will take."""

    def __init__(self, course: Course, first: int) -> None:
        self._course, self._first, self._began = course, first, time.monotonic()

    def say(self, step: int, loss: float) -> None:
        done = step + 1 - self._first
        left = (time.monotonic() - self._began) / done * (self._course.steps - step - 1)
        text = "%s %d/%d, loss %.3f, %s left"
        log.info(text, self._course.name, step + 1, self._course.steps, loss, duration(left))


def duration(seconds: float) -> str:
    """A time as people say it: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
