"""Curves of a training for TensorBoard, where it is installed."""

import logging
from pathlib import Path
from typing import Protocol

log = logging.getLogger(__name__)


class Curves(Protocol):
    """Where a training writes its figures."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """One figure of one step."""

    def close(self) -> None:
        """Nothing more will come."""


class NoCurves:
    """Without TensorBoard the log alone tells how a training goes."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def curves(folder: Path, step: int) -> Curves:
    """Curves that go on at `step`: what an interrupted training wrote after it is dropped."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("no curves: tensorboard is not installed (pip install tensorboard)")
        return NoCurves()
    try:
        writer: Curves = SummaryWriter(folder, purge_step=step)
    except OSError as error:
        log.warning("no curves: %s cannot be written (%s)", folder, error.strerror)
        return NoCurves()
    return writer
