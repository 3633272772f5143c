"""Makes the checkpoint: `python -m baseline_model.train DATA`.

DATA holds unlabelled scans under `pretraining/` and the labelled few-shot cases under `Task_1/` … `Task_5/`.
"""

import argparse
import logging
from pathlib import Path

import torch
from torch import Tensor

from baseline_model.checkpoint import DEFAULT, TrainedModel, load_model, save, untrained_heads
from baseline_model.data import unlabelled
from baseline_model.features import Norms, anatomy
from baseline_model.finetune import age_head, folding_head, infarct_head, segmentation_head
from baseline_model.network import Trunk
from baseline_model.pretrain import pretrain
from baseline_model.volumes import HEAD, head_centre, load, normalise, onto_grid

log = logging.getLogger(__name__)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Pretrain the trunk, fit the heads, write the checkpoint.")
    parser.add_argument("data", type=Path, help="folder in the challenge's released layout")
    parser.add_argument("--output", type=Path, default=DEFAULT)
    parser.add_argument("--epochs", type=int, default=6, help="passes over the unlabelled scans")
    parser.add_argument("--head-epochs", type=int, default=10, help="passes over the labelled masks")
    parser.add_argument("--trunk", type=Path, help="keep the trunk of this checkpoint, fit the heads only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    trunk = load_model(given.trunk).trunk if given.trunk else None
    model = train(
        given.data, epochs=given.epochs, head_epochs=given.head_epochs, seed=given.seed, trunk=trunk
    )
    save(model, given.output)
    log.info("wrote %s, %.1f MB", given.output.name, given.output.stat().st_size / 1e6)


def train(
    data: Path, *, epochs: int, head_epochs: int, seed: int, trunk: Trunk | None = None
) -> TrainedModel:
    """The whole training, or that of the heads on a given trunk; on a GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sessions = unlabelled(data)
    if trunk is None:
        trunk = pretrain(_volumes(sessions), epochs=epochs, batch=2, seed=seed, device=device)
    norms = _norms(trunk, [session["t1w"] for session in sessions if "t1w" in session])
    log.info("fitting heads")
    meningioma, nerve = untrained_heads()
    return TrainedModel(
        trunk=trunk,
        norms=norms,
        infarct=infarct_head(data),
        age=age_head(data, trunk, norms),
        folding=folding_head(data, trunk, norms),
        meningioma=segmentation_head(
            meningioma, data, 2, trunk, epochs=head_epochs, seed=seed, device=device
        ),
        nerve=segmentation_head(nerve, data, 4, trunk, epochs=head_epochs, seed=seed, device=device),
    )


def _volumes(sessions: list[dict[str, Path]]) -> list[Tensor]:
    """Every scan on the head grid, normalised; 16-bit, so that thousands fit in memory."""
    scans = (load(path) for session in sessions for path in session.values())
    volumes = [normalise(onto_grid(scan, HEAD, head_centre(scan))).half() for scan in scans]
    log.info("%d unlabelled scans", len(volumes))
    return volumes


def _norms(trunk: Trunk, paths: list[Path]) -> Norms:
    scans = [anatomy(trunk, load(path)) for path in paths]
    return Norms.of(
        torch.stack([scan.maps for scan in scans]), torch.stack([scan.descriptor for scan in scans])
    )


if __name__ == "__main__":
    main()
