"""Versions of the cases as organizers and admins reach them: each by the role that its challenge gives."""

from sqlalchemy.orm import Session

from contract.ids import DatasetId
from server.accounts.principals import Organizer, User
from server.datasets.models import Dataset
from server.errors import NotFound
from server.organizers.access import absent, observer_in, organizer_in
from server.versions.service import get_version


def observed_version(session: Session, user: User, dataset_id: DatasetId) -> Dataset:
    """A version of the cases of a challenge that the user may see everything of.

    Raises:
        NotFound, Forbidden: there is none; they may not. Only an admin learns which.
    """
    dataset = _found(session, user, dataset_id)
    observer_in(session, user, dataset.challenge_id)
    return dataset


def organized_version(session: Session, user: User, dataset_id: DatasetId) -> tuple[Organizer, Dataset]:
    """A version of the cases of a challenge, and the user as one who decides in it.

    Raises:
        NotFound, Forbidden: there is none; they may not. Only an admin learns which.
    """
    dataset = _found(session, user, dataset_id)
    return organizer_in(session, user, dataset.challenge_id), dataset


def _found(session: Session, user: User, dataset_id: DatasetId) -> Dataset:
    try:
        return get_version(session, dataset_id)
    except NotFound as missing:
        raise absent(user, missing) from None
