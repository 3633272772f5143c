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

import numpy as np
import torch

from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model, read_norms, save
from baseline_model.config import DEFAULT_CONFIG, TrainConfig, read_config
from baseline_model.course import load_finished
from baseline_model.data import examples, sequence_of, unlabelled
from baseline_model.faults import TrainingError, written_whole
from baseline_model.features import Norms
from baseline_model.finetune import NUMBERS, norms_of, number_head
from baseline_model.heads import LinearHead
from baseline_model.inference import predict
from baseline_model.network import Trunk
from baseline_model.prepare import PreparedScan, prepare
from baseline_model.pretrain import pretrain
from baseline_model.scans import Scan
from baseline_model.segmentation import MENINGIOMA, NERVE, segmentation_head

MOST_NORMS = 2000  # scans; more would make the norms no better
LABELLED = range(1, 6)
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
    parser.add_argument("--threads", type=_count, default=torch.get_num_threads())
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        config = read_config(given.config)
        if given.stage == "all":
            require_data(given.data)
        for stage in STAGES if given.stage == "all" else [given.stage]:
            log.info("%s", stage)
            STAGES[stage](given.data, given.run, config, given.output)
    except TrainingError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:  # a folder that may not be entered, a disk that fails
        print(f"{error.filename or given.run}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last state that was kept", file=sys.stderr)
        return 130
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return int(text)


def run_pretrain(data: Path, run: Path, config: TrainConfig, output: Path) -> None:
    """The trunk, from the unlabelled scans; its state and weights in `run/pretrain.pt`."""
    views = [view for scan in _prepared(data, run, config) for view in scan.views]
    log.info("%d views", len(views))
    pretrain(views, config, run / "pretrain.pt")


def run_finetune(data: Path, run: Path, config: TrainConfig, output: Path) -> None:
    """The heads on the trunk, from the labelled cases: `run/heads.pt`, `run/task2.pt` and `run/task4.pt`."""
    trunk = pretrained(run)
    fit_numbers(data, run, config, trunk)
    for masks in (MENINGIOMA, NERVE):
        segmentation_head(masks, data, trunk, config, run / f"task{masks.number}.pt")


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
    norms, (infarct, age, folding), notes = _heads(run / "heads.pt")
    meningioma, nerve = MENINGIOMA.untrained(), NERVE.untrained()
    load_finished(meningioma, run / "task2.pt", "training of task 2")
    load_finished(nerve, run / "task4.pt", "training of task 4")
    model = TrainedModel(pretrained(run), norms, infarct, age, folding, meningioma, nerve, notes)
    _check_widths(model, run / "heads.pt")
    save(model, output)
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


def require_data(data: Path) -> None:
    """Refuses data in which a later stage would find nothing, before pretraining has taken its hours.

    Raises:
        TrainingError: there are no labelled sessions of a task, or too few unlabelled T1-weighted scans for the norms.
    """
    for task in LABELLED:
        examples(data, task)
    paths = [path for session in unlabelled(data) for path in session.values()]
    if sum(sequence_of(path.name) == "t1w" for path in paths) < 2:
        raise TrainingError(
            f"{data / 'pretraining'}: holds fewer than two T1-weighted scans (t1w.nii.gz or t1.nii.gz)"
        )


STAGES: dict[str, Callable[[Path, Path, TrainConfig, Path], None]] = {
    "pretrain": run_pretrain,
    "finetune": run_finetune,
    "export": run_export,
}


def _prepared(data: Path, run: Path, config: TrainConfig) -> list[PreparedScan]:
    paths = [path for session in unlabelled(data) for path in session.values()]
    return prepare(paths, run / "scans", workers=config.workers, faulty=config.faulty, top=data)


def _heads(path: Path) -> tuple[Norms, list[LinearHead], dict[str, str]]:
    """The norms, the linear heads in the order of NAMES, and what is known of each."""
    if not path.exists():
        raise TrainingError(f"{path}: the heads have not been fitted; run the stage finetune first")
    try:
        stored: dict[str, dict[str, Any]] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged file raises nearly anything, and each means this
        reason = str(error).partition("\n")[0]
        raise TrainingError(f"{path}: cannot be read ({reason})") from None
    try:
        heads = [LinearHead(**stored[name]) for name in NAMES.values()]
        return read_norms(stored["norms"]), heads, dict(stored["notes"])
    except (LookupError, TypeError, ValueError, AttributeError):
        raise TrainingError(f"{path}: holds no heads of this network; run the stage finetune again") from None


def _check_widths(model: TrainedModel, path: Path) -> None:
    """Refuses heads that see other features than the trunk gives, as those of another version do."""
    noise = np.random.default_rng(0).random((40, 48, 40), dtype=np.float32)
    scan = Scan(noise, np.diag([4.0, 4.0, 4.0, 1.0]))
    try:
        for task, keys in NUMBERS.items():
            answer = predict(model, f"task{task}", dict.fromkeys(keys, scan))
            if not np.isfinite(answer):
                raise ValueError("a head that gives no number")
    except (RuntimeError, ValueError):
        raise TrainingError(f"{path}: its heads do not fit the trunk; run the stage finetune again") from None


if __name__ == "__main__":
    sys.exit(main())
