"""What a score worker makes of a delivery: where labels may be read and written, and nowhere else."""

from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from contract.datasets import StagedOut
from contract.deliveries import DeliveryKind
from contract.problems import ErrorCode
from server.challenges.models import Challenge
from server.datasets.corrections import Correction, require_trees
from server.deliveries.incoming import place_of
from server.deliveries.models import Delivery
from server.deliveries.unpacking import unpack
from server.errors import DataMissing
from server.settings import Settings
from server.versions import making

CORRECTIONS = TypeAdapter(Correction)
"""How a correction that is no file lies in the folder of its delivery."""


def make(session: Session, delivery: Delivery, scratch: Path, settings: Settings) -> StagedOut:
    """The version that was asked for, not in force; an archive of cases is unpacked in the folder `scratch`.

    Raises:
        DataMissing: what was sent is not there.
        Problem: as `server.deliveries.unpacking` and `server.versions.making` say.
    """
    challenge = session.get_one(Challenge, delivery.challenge_id)
    file = place_of(settings, delivery.id) / "sent"
    if not file.is_file():
        raise DataMissing(ErrorCode.DATA_MISSING, "What was sent is not there any more; send it again.")
    require_trees(settings)
    if delivery.dataset_id is None:
        root = unpack(file, scratch, settings)
        return making.import_folder(
            session,
            challenge,
            delivery.phase,
            delivery.task,
            root,
            accept=delivery.accept,
            actor=delivery.asked_by,
            settings=settings,
        )
    against = (
        None if delivery.against_id is None else making.version_of(session, challenge, delivery.against_id)
    )
    return making.correct(
        session,
        challenge,
        making.version_of(session, challenge, delivery.dataset_id),
        _correction(delivery, file.read_bytes()),
        against=against,
        accept=delivery.accept,
        actor=delivery.asked_by,
        settings=settings,
    )


def _correction(delivery: Delivery, content: bytes) -> Correction:
    if delivery.kind is DeliveryKind.LABEL:
        return Correction(delivery.why or "", labels={delivery.case_name or "": content})
    return CORRECTIONS.validate_json(content)
