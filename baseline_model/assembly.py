"""The checkpoint put together: what was trained, and for other tasks what stays, or nothing."""

from pathlib import Path

import numpy as np
import torch

from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model, untrained_masks
from baseline_model.course import load_finished
from baseline_model.faults import TrainingError
from baseline_model.finetune import NUMBERS
from baseline_model.fitted import LABELLED, NAMES, FittedHeads, digest_of
from baseline_model.heads import LinearHead
from baseline_model.inference import predict
from baseline_model.network import Trunk
from baseline_model.scans import CannotAnswer, Scan


def committed() -> TrainedModel:
    """The checkpoint that stands beside this file.

    Raises:
        TrainingError: there is none, or it is damaged or of another network.
    """
    try:
        return load_model(DEFAULT)
    except FileNotFoundError:
        raise TrainingError(f"{DEFAULT}: there is no checkpoint whose heads could stay") from None
    except RuntimeError as error:
        raise TrainingError(f"{DEFAULT}: its heads cannot stay: {error}") from None


def assembled(
    run: Path, fitted: FittedHeads, trunk: Trunk, base: TrainedModel | None, *, seed: int
) -> TrainedModel:
    """What was fitted in `run`, with all else from `base`; without one the other tasks are left out.

    Raises:
        TrainingError: a training of masks has not been finished, or its file is damaged.
    """
    torch.manual_seed(seed)  # weights that answer nothing are the same in every file of the same training
    infarct, age, folding = (
        fitted.heads.get(task) or (LinearHead.empty() if base is None else getattr(base, name))
        for task, name in NAMES.items()
    )
    meningioma, nerve = untrained_masks() if base is None else (base.meningioma, base.nerve)
    for task, network in ((2, meningioma), (4, nerve)):
        if task in fitted.tasks:
            load_finished(network, run / f"task{task}.pt", f"training of task {task}")
    notes = fitted.notes if base is None else {**base.notes, **fitted.notes}
    without = frozenset(f"task{task}" for task in LABELLED) if base is None else base.left_out
    left_out = without - {f"task{task}" for task in fitted.tasks}
    return TrainedModel(trunk, fitted.norms, infarct, age, folding, meningioma, nerve, notes, left_out)


def check_heads(model: TrainedModel, fitted: FittedHeads, path: Path) -> None:
    """Refuses heads, from `path`, that were fitted to another trunk or see other features than it gives.

    Raises:
        TrainingError: they are such.
    """
    noise = np.random.default_rng(0).random((40, 48, 40), dtype=np.float32)
    scan = Scan(noise, np.diag([4.0, 4.0, 4.0, 1.0]))
    try:
        if fitted.trunk != digest_of(model.trunk):
            raise ValueError("heads of another trunk")
        for task in fitted.heads:
            answer = predict(model, f"task{task}", dict.fromkeys(NUMBERS[task], scan))
            if not np.isfinite(answer):
                raise ValueError("a head that gives no number")
    except (RuntimeError, ValueError, CannotAnswer):
        raise TrainingError(f"{path}: its heads do not fit the trunk; run the stage finetune again") from None
