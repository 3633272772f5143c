"""Versions of the cases as programs read them."""

from contract.datasets import DatasetOut
from server.versions.service import Version


def dataset_out(version: Version) -> DatasetOut:
    """A version with what is known of its files and its use."""
    return DatasetOut.of(version, version.dataset, imported_at=version.dataset.created_at)
