"""Makes the checkpoint, a stage at a time: `python -m baseline_model.train STAGE --data DATA --run RUN`.

DATA holds unlabelled scans under `pretraining/` and the labelled few-shot cases under `Task_1/` … `Task_5/`; RUN keeps
what each stage made, so that an interrupted one goes on where it was. The stages are `pretrain`, `finetune` and
`export`; `all` is one after the other.
"""

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model, save, untrained_masks
from baseline_model.config import DEFAULT_CONFIG, TrainConfig, read_config
from baseline_model.course import load_finished
from baseline_model.data import sequence_of, unlabelled
from baseline_model.faults import TrainingError, written_whole
from baseline_model.features import Norms
from baseline_model.finetune import norms_of, number_head
from baseline_model.heads import LinearHead
from baseline_model.network import Trunk
from baseline_model.prepare import PreparedScan, prepare
from baseline_model.pretrain import pretrain
from baseline_model.segmentation import MENINGIOMA, NERVE, mask_network

MOST_NORMS = 2000  # scans; more would make the norms no better
NAMES = {1: "infarct", 3: "age", 5: "folding"}

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """The command; the exit code. What is wrong is said in one line on standard error."""
    parser = argparse.ArgumentParser(description="Make the checkpoint, a stage at a time.")
    parser.add_argument("stage", choices=[*STAGES, "all"])
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder in the challenge's released layout"
    )
    parser.add_argument("--run", type=Path, default=Path("run"), help="folder for what the stages make")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the settings, a TOML file")
    parser.add_argument("--output", type=Path, default=DEFAULT, help="the checkpoint")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        config = read_config(given.config)
        for stage in STAGES if given.stage == "all" else [given.stage]:
            log.info("%s", stage)
            STAGES[stage](given.data, given.run, config, given.output)
    except TrainingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_pretrain(data: Path, run: Path, config: TrainConfig, output: Path) -> None:
    """The trunk, from the unlabelled scans; its state and weights in `run/pretrain.pt`."""
    views = [view for scan in _prepared(data, run, config) for view in scan.views]
    log.info("%d views", len(views))
    pretrain(views, config, run / "pretrain.pt")


def run_finetune(data: Path, run: Path, config: TrainConfig, output: Path) -> None:
    """What answers the tasks, from the labelled cases: `run/heads.pt`, `run/task2.pt` and `run/task4.pt`."""
    trunk = pretrained(run)
    fit_numbers(data, run, config, trunk)
    for masks in (MENINGIOMA, NERVE):
        mask_network(masks, data, trunk, config, run / f"task{masks.number}.pt")


def fit_numbers(data: Path, run: Path, config: TrainConfig, trunk: Trunk) -> None:
    """The norms of unlabelled scans and the heads of tasks 1, 3 and 5, in `run/heads.pt`."""
    scans = [scan.source for scan in _prepared(data, run, config) if sequence_of(scan.source.name) == "t1w"]
    norms = norms_of(trunk, scans[:: -(-len(scans) // MOST_NORMS) or 1])
    heads = {name: number_head(task, data, trunk, norms, config) for task, name in NAMES.items()}
    stored = {
        "norms": dict(vars(norms)),
        "notes": {f"task{task}": heads[name].note for task, name in NAMES.items()},
        **{name: chosen.head.tensors() for name, chosen in heads.items()},
    }
    written_whole(run / "heads.pt", lambda path: torch.save(stored, path))


def run_export(data: Path, run: Path, config: TrainConfig, output: Path) -> None:
    """The checkpoint from what the other stages left in `run`."""
    linear = _heads(run / "heads.pt")
    infarct, age, folding = (LinearHead(**linear[name]) for name in NAMES.values())
    meningioma, nerve = untrained_masks()
    load_finished(meningioma, run / "task2.pt", "training of task 2")
    load_finished(nerve, run / "task4.pt", "training of task 4")
    norms = Norms(**linear["norms"])
    save(
        TrainedModel(pretrained(run), norms, infarct, age, folding, meningioma, nerve, linear["notes"]),
        output,
    )
    load_model(output)
    log.info("wrote %s, %.1f MB", output, output.stat().st_size / 1e6)


def pretrained(run: Path) -> Trunk:
    """The trunk of a finished pretraining, its weights rounded as the checkpoint stores them.

    Raises:
        TrainingError: it is not finished, or its file is damaged.
    """
    trunk = Trunk()
    load_finished(trunk, run / "pretrain.pt", "pretraining")
    return trunk.half().float()


STAGES: dict[str, Callable[[Path, Path, TrainConfig, Path], None]] = {
    "pretrain": run_pretrain,
    "finetune": run_finetune,
    "export": run_export,
}


def _prepared(data: Path, run: Path, config: TrainConfig) -> list[PreparedScan]:
    paths = [path for session in unlabelled(data) for path in session.values()]
    return prepare(paths, run / "scans", workers=config.workers, faulty=config.faulty)


def _heads(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        raise TrainingError(f"{path}: the heads have not been fitted; run the stage finetune first")
    try:
        stored: dict[str, dict[str, Any]] = torch.load(path, weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged file raises nearly anything, and each means this
        reason = str(error).partition("\n")[0]
        raise TrainingError(f"{path}: cannot be read ({reason})") from None
    return stored


if __name__ == "__main__":
    sys.exit(main())
