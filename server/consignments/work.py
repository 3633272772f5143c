"""What a score worker makes of a consignment: where labels may be read and written, and nowhere else."""

from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from contract.consignments import ConsignmentKind
from contract.datasets import StagedOut
from contract.problems import ErrorCode
from server.challenges.models import Challenge
from server.consignments.incoming import place_of
from server.consignments.models import Consignment
from server.consignments.unpacking import unpack
from server.datasets.corrections import Correction, require_trees
from server.errors import DataMissing
from server.settings import Settings
from server.versions import making

CORRECTIONS = TypeAdapter(Correction)
"""How a correction that is no file lies in the folder of its consignment."""


def make(session: Session, consignment: Consignment, scratch: Path, settings: Settings) -> StagedOut:
    """The version that was asked for, not in force; an archive of cases is unpacked in the folder `scratch`.

    Raises:
        DataMissing: what was sent is not there.
        Problem: as `server.consignments.unpacking` and `server.versions.making` say.
    """
    challenge = session.get_one(Challenge, consignment.challenge_id)
    file = place_of(settings, consignment.id) / "sent"
    if not file.is_file():
        raise DataMissing(ErrorCode.DATA_MISSING, "What was sent is not there any more; send it again.")
    require_trees(settings)
    if consignment.dataset_id is None:
        root = unpack(file, scratch, settings)
        return making.import_folder(
            session,
            challenge,
            consignment.phase,
            consignment.task,
            root,
            accept=consignment.accept,
            actor=consignment.asked_by,
            settings=settings,
        )
    against = (
        None
        if consignment.against_id is None
        else making.version_of(session, challenge, consignment.against_id)
    )
    return making.correct(
        session,
        challenge,
        making.version_of(session, challenge, consignment.dataset_id),
        _correction(consignment, file.read_bytes()),
        against=against,
        accept=consignment.accept,
        actor=consignment.asked_by,
        settings=settings,
    )


def _correction(consignment: Consignment, content: bytes) -> Correction:
    if consignment.kind is ConsignmentKind.LABEL:
        return Correction(consignment.why or "", labels={consignment.case_name or "": content})
    return CORRECTIONS.validate_json(content)
