"""Makes the checkpoint, a stage at a time: `python -m baseline_model.train STAGE --data DATA --run RUN`.

DATA holds unlabelled scans under `pretraining/` and the labelled few-shot cases under `Task_1/` … `Task_5/`; RUN keeps
what each stage made, so that an interrupted one goes on where it was. The stages are `pretrain`, `finetune` and
`export`; `all` is one after the other. With `--tasks` the heads of some tasks are trained alone: on the trunk of a
pretraining in RUN, or where there is none on the committed one. Other tasks keep the committed heads where these fit.
"""

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from baseline_model.assembly import assembled, check_heads, committed
from baseline_model.before import require_labels, require_scans
from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model, save
from baseline_model.config import DEFAULT_CONFIG, TrainConfig, read_config
from baseline_model.course import load_finished
from baseline_model.data import sequence_of, unlabelled
from baseline_model.faults import TrainingError
from baseline_model.features import Norms
from baseline_model.finetune import norms_of, number_head
from baseline_model.fitted import LABELLED, NAMES, FittedHeads, digest_of
from baseline_model.network import Trunk
from baseline_model.prepare import PreparedScan, prepare
from baseline_model.pretrain import pretrain
from baseline_model.segmentation import MENINGIOMA, NERVE, mask_network

MOST_NORMS = 2000  # scans; more would make the norms no better
Tasks = frozenset[int] | None
"""The tasks whose heads are trained; None: of all tasks, on a pretraining of one's own."""

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
    parser.add_argument(
        "--tasks",
        type=int,
        nargs="+",
        choices=LABELLED,
        metavar="N",
        help="train the heads of these tasks alone",
    )
    given = parser.parse_args(arguments)
    tasks = frozenset(given.tasks) if given.tasks else None
    if tasks and given.stage not in ("finetune", "all"):
        parser.error("--tasks goes with finetune or all; export takes what finetune trained")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        config = read_config(given.config)
        if given.stage == "all":
            require_data(given.data, config, tasks)
        for stage in _stages(given.stage, tasks):
            log.info("%s", stage)
            STAGES[stage](given.data, given.run, config, given.output, tasks)
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


def _stages(stage: str, tasks: Tasks) -> list[str]:
    """What `all` is: with `tasks` the heads of these alone, since whoever wants another trunk makes it first."""
    if stage != "all":
        return [stage]
    return [one for one in STAGES if one != "pretrain" or tasks is None]


def run_pretrain(data: Path, run: Path, config: TrainConfig, output: Path, tasks: Tasks) -> None:
    """The trunk, from the unlabelled scans; its state and weights in `run/pretrain.pt`."""
    views = [view for scan in _prepared(data, run, config) for view in scan.views]
    log.info("%d views", len(views))
    pretrain(views, config, run / "pretrain.pt")


def run_finetune(data: Path, run: Path, config: TrainConfig, output: Path, tasks: Tasks) -> None:
    """What answers the tasks, from the labelled cases: `run/heads.pt`, `run/task2.pt` and `run/task4.pt`."""
    base = _base(run, tasks)
    trunk, chosen = pretrained(run) if base is None else base.trunk, tasks or frozenset(LABELLED)
    require_labels(data, chosen, config.faulty)
    if base is None:
        require_scans(data)
    fit_numbers(data, run, config, trunk, chosen, base)
    for masks in (MENINGIOMA, NERVE):
        if masks.number in chosen:
            mask_network(masks, data, trunk, config, run / f"task{masks.number}.pt")


def _base(run: Path, tasks: Tasks) -> TrainedModel | None:
    """The checkpoint whose trunk and other heads stay; None where a pretraining in `run` has made another trunk."""
    if tasks is None:
        return None
    if not (run / "pretrain.pt").exists():
        log.info("no pretraining in %s: on the trunk of %s, whose other heads stay", run, DEFAULT)
        return committed()
    trunk = pretrained(run)
    try:
        base = committed()
    except TrainingError:
        return None
    return base if digest_of(base.trunk) == digest_of(trunk) else None


def fit_numbers(
    data: Path, run: Path, config: TrainConfig, trunk: Trunk, tasks: frozenset[int], base: TrainedModel | None
) -> None:
    """The norms of unlabelled scans, or those of `base`, and the heads of tasks 1, 3 and 5, in `run/heads.pt`."""
    norms = _norms(data, run, config, trunk) if base is None else base.norms
    found = {task: number_head(task, data, trunk, norms, config) for task in NAMES if task in tasks}
    heads = {task: chosen.head for task, chosen in found.items()}
    notes = {f"task{task}": chosen.note for task, chosen in found.items()}
    fitted = FittedHeads(norms, heads, notes, tasks, digest_of(trunk), kept=base is not None)
    fitted.write(run / "heads.pt")


def _norms(data: Path, run: Path, config: TrainConfig, trunk: Trunk) -> Norms:
    scans = [scan.source for scan in _prepared(data, run, config) if sequence_of(scan.source.name) == "t1w"]
    return norms_of(trunk, scans[:: -(-len(scans) // MOST_NORMS) or 1])


def run_export(data: Path, run: Path, config: TrainConfig, output: Path, tasks: Tasks) -> None:
    """The checkpoint from what the other stages left in `run`."""
    fitted = FittedHeads.read(run / "heads.pt")
    base = committed() if fitted.kept else None
    model = assembled(run, fitted, pretrained(run) if base is None else base.trunk, base, seed=config.seed)
    check_heads(model, fitted, run / "heads.pt")
    save(model, output)
    load_model(output)
    log.info("wrote %s, %.1f MB", output, output.stat().st_size / 1e6)
    if model.left_out:
        log.warning("not trained, and not answered: %s", ", ".join(sorted(model.left_out)))


def pretrained(run: Path) -> Trunk:
    """The trunk of a finished pretraining, its weights rounded as the checkpoint stores them.

    Raises:
        TrainingError: it is not finished, or its file is damaged.
    """
    trunk = Trunk()
    load_finished(trunk, run / "pretrain.pt", "pretraining")
    return trunk.half().float()


def require_data(data: Path, config: TrainConfig, tasks: Tasks = None) -> None:
    """Refuses data in which a later stage would find nothing, before pretraining has taken its hours.

    Raises:
        TrainingError: the labelled sessions of a task make no head, or there are too few unlabelled T1-weighted scans.
    """
    require_labels(data, tasks or LABELLED, config.faulty)
    if tasks is None:
        require_scans(data)


STAGES: dict[str, Callable[[Path, Path, TrainConfig, Path, Tasks], None]] = {
    "pretrain": run_pretrain,
    "finetune": run_finetune,
    "export": run_export,
}


def _prepared(data: Path, run: Path, config: TrainConfig) -> list[PreparedScan]:
    paths = [path for session in unlabelled(data) for path in session.values()]
    return prepare(paths, run / "scans", workers=config.workers, faulty=config.faulty, top=data)


if __name__ == "__main__":
    sys.exit(main())
