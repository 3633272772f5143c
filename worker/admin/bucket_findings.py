"""What `doctor` says of a bucket that holds the blobs: it is written to, read, listed and asked for its time."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from worker.admin.bucket_told import REMEDY, untold
from worker.admin.findings import DoctorFinding, FindingState

_OFF = 60.0


def blob_store(data: Path) -> Iterator[DoctorFinding]:
    """Where blobs lie in a bucket: whether it does what it has to, and whether the clocks agree."""
    if (said := untold(data)) is not None:
        yield DoctorFinding("blob store", FindingState.FAIL, said, REMEDY)
    if not os.environ.get("BLOBS_URL"):
        return
    from server.blobs import BlobsAway, probe_of  # hosts of run workers have no server
    from server.settings import BlobSettings
    from server.words import words

    try:
        place = BlobSettings().blobs_place
        found = None if place is None else probe_of(place)
    except ValidationError as error:
        said = words(error.errors()[0])
        yield DoctorFinding("blob store", FindingState.FAIL, said, "Correct the setting; docs/operations.md.")
        return
    except BlobsAway as away:
        yield DoctorFinding(
            "blob store", FindingState.FAIL, away.why, "Until then nothing runs or is scored."
        )
        return
    if found is not None:
        yield judged(str(place), found.seconds, found.clock, found.lists_uploads)


def judged(place: str, seconds: float, clock: timedelta | None, lists_uploads: bool) -> DoctorFinding:
    """A store that wrote, read, listed and removed a probe in so many seconds; `clock`: so far ahead of ours."""
    told = f"{place}: a probe was written, read, listed and removed in {seconds:.2f} s"
    off = 0.0 if clock is None else clock.total_seconds()
    if abs(off) > _OFF:
        remedy = "Set both clocks by NTP: at a quarter of an hour the store refuses everything."
        return DoctorFinding(
            "blob store", FindingState.WARN, f"{told}; its clock is {off:+.0f} s off", remedy
        )
    if not lists_uploads:
        remedy = "Let these keys list and abort uploads in parts, or set a rule of the bucket that ends them."
        return DoctorFinding("blob store", FindingState.WARN, f"{told}; unfinished uploads stay", remedy)
    return DoctorFinding("blob store", FindingState.OK, told)
