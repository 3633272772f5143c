"""Versions of the cases as programs read them."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from contract.datasets import DatasetOut
from server.accounts.called import called
from server.versions.service import Version


def datasets_out(session: Session, versions: Sequence[Version]) -> list[DatasetOut]:
    """Versions with what is known of their files and their use."""
    names = called(session, (version.dataset.imported_by for version in versions))
    return [
        DatasetOut.of(
            version,
            version.dataset,
            imported_at=version.dataset.created_at,
            imported_by_name=names.get(version.dataset.imported_by),
        )
        for version in versions
    ]
