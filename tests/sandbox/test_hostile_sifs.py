"""Every hostile SIF file of the table is refused with the code of its defence, and leaves nothing."""

from pathlib import Path

import pytest

from sandbox.archive import ArchiveInvalid, DirectorySink, check_archive
from tests.hostile.archives import Archive
from tests.hostile.sif_files import SIFS

LIMIT = 2**27


@pytest.mark.parametrize("row", SIFS, ids=lambda row: row.name)
def test_a_hostile_sif_file_is_refused_with_its_code(row: Archive, tmp_path: Path) -> None:
    path, sink = tmp_path / "image.sif", DirectorySink(tmp_path / "blobs")
    path.write_bytes(row.make())
    with pytest.raises(ArchiveInvalid) as refused:
        check_archive(path, limit=LIMIT, sink=sink, calls=(("python", "/app/predict.py"),))
    assert row.expects(str(refused.value.code)), refused.value.message
    assert not list(sink.root.iterdir())
