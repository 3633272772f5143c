"""A backup of an installation whose blobs are in a bucket says what it leaves there, and a restore what is there."""

import json
from pathlib import Path

import pytest

from tests.blobs.conftest import Stores
from tests.blobs.servers import S3Server
from tests.blobs.test_admin import _told
from tests.worker.test_backup import Run, base, installation, made, run
from worker.embedded.postgres import Postgres

__all__ = ["base", "installation", "made", "run"]


def test_a_backup_lists_the_bucket_and_a_restore_looks_for_what_is_listed(
    installation: Postgres,
    base: Path,
    run: Run,
    on_swift: S3Server,
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = on_swift.bucket()
    bucket = stores(place)
    whole, lost = bucket.put(b"a layer"), bucket.put(b"an output")
    monkeypatch.setenv("BLOBS_URL", _told(monkeypatch, place))
    result = run("backup", base / "backups", "--data", installation.data)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert f"not in it, only listed: 2 blobs with 0.0 MB in {place}" in said
    (backup,) = (path for path in (base / "backups").iterdir() if path.name[:2] == "20")
    listed = (backup / "blobs" / "in-bucket.txt").read_text().splitlines()
    assert sorted(listed) == sorted([f"{whole} 7", f"{lost} 9"])
    assert json.loads((backup / "manifest.json").read_text())["bucket"]["count"] == 2
    assert "only listed: 2 blobs" in " ".join(run("backup", base / "backups", "--verify").output.split())

    name = lost.removeprefix("sha256:")
    on_swift.client.delete_object(Bucket=place.bucket, Key=place.key(f"{name[:2]}/{name}"))
    result = run("restore", base / "backups", "--data", base / "new")
    assert result.exit_code == 0, result.output
    assert f"1 of 2 blobs are in {place}; missing: {lost}" in " ".join(result.output.split())
    assert not (base / "new" / "blobs" / "in-bucket.txt").exists()

    monkeypatch.delenv("BLOBS_URL")
    untold = run("status", "--data", base / "new")
    assert (untold.exit_code, f"are in s3://{place.bucket}/" in untold.output) == (1, True), untold.output
    result = run("restore", base / "backups", "--data", base / "elsewhere")
    assert result.exit_code == 1
    assert f"The blobs of this backup are in {place}. Set BLOBS_URL" in " ".join(result.output.split())
    assert not [*(base / "elsewhere").iterdir()]


def test_a_bucket_that_cannot_be_listed_makes_no_backup(
    installation: Postgres, base: Path, run: Run, on_moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOBS_URL", _told(monkeypatch, on_moto.place("never-made")))
    result = run("backup", base / "backups", "--data", installation.data)
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "no bucket never-made" in said
    assert "none was made" in said
    assert not [path for path in (base / "backups").iterdir() if path.name[:1] != "."]
