"""A GPU fits the size that it is sold with, whatever its driver shows of it."""

import pytest

from evaluator.spec import Challenge, Gpu
from server.evaluations.worker_models import WorkerSlot
from server.queue.policy import needs_of
from server.queue.slots import Needs, fits, needs

_SHOWN = {  # MiB, as nvidia-smi shows them of cards that are sold with so many GB
    "H100 80GB HBM3": (80, 81_559),
    "A100-SXM4-80GB": (80, 81_920),
    "A100-PCIE-40GB": (40, 40_536),
    "L4, with error-correcting codes": (24, 23_034),
    "Tesla T4": (16, 15_360),
}


def _slot(mib: int) -> WorkerSlot:
    return WorkerSlot(cpus=32.0, memory=64 * 2**30, gpus=1, gpu_memory=mib * 2**20, runtimes=["runc"])


@pytest.mark.parametrize(("size", "shown"), _SHOWN.values(), ids=[*_SHOWN])
def test_a_card_takes_cases_that_need_its_size_and_none_that_need_more(
    fomo26: Challenge, size: int, shown: int
) -> None:
    for asked, taken in ((size, True), (size + 8, False)):
        limits = fomo26.limits.model_copy(update={"gpu": Gpu(memory=asked * 2**30)})
        needed = Needs.of(limits)
        assert needed.needs_gpu_memory == needs_of(limits)["needs_gpu_memory"]
        assert fits(needed, _slot(shown)) is taken
        assert f"1 GPU of {asked} GB" in needs(needed)


def test_fomo26_runs_on_the_card_that_it_names(fomo26: Challenge) -> None:
    assert fits(Needs.of(fomo26.limits), _slot(81_559))
