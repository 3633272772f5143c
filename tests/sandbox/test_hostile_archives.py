"""Every hostile upload of the table is refused with the code of its defence and a sentence, and leaves nothing."""

from pathlib import Path

import pytest

from sandbox.archive import ArchiveInvalid, DirectorySink, check_archive
from tests.hostile.archives import ARCHIVES, Archive

LIMIT = 2**27


@pytest.mark.parametrize("row", ARCHIVES, ids=lambda row: row.name)
def test_a_hostile_upload_is_refused_with_its_code(row: Archive, tmp_path: Path) -> None:
    archive, sink = tmp_path / "upload", DirectorySink(tmp_path / "blobs")
    archive.write_bytes(row.make())
    with pytest.raises(ArchiveInvalid) as refused:
        check_archive(archive, limit=LIMIT, sink=sink, calls=(("python", "/app/predict.py"),))
    assert row.expects(str(refused.value.code)), refused.value.message
    assert refused.value.message.endswith(".")
    assert not list(sink.root.iterdir())
