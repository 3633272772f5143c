"""What the store shares between SIF files and archives of Docker images that hold the same."""

import io
from pathlib import Path

import pytest

from contract.images import ImageFacts
from sandbox.archive import DirectorySink, check_archive
from tests.sandbox.archives import legacy, pack, tar
from tests.sandbox.sifs import partition, sif, squashfs
from tests.sandbox.test_archive_programs import AMD

BASE = ("bin/sh", AMD), ("usr/lib/model", b"weights" * 10_000)


def _docker(sink: DirectorySink, program: bytes) -> ImageFacts:
    layers = tar(*BASE), tar(("app/predict.py", program))
    return check_archive(io.BytesIO(pack(legacy(*layers))), limit=2**30, sink=sink)


def _sif(sink: DirectorySink, program: bytes) -> ImageFacts:
    file = sif(partition(squashfs(dict([*BASE, ("app/predict.py", program)]))))
    return check_archive(io.BytesIO(file), limit=2**30, sink=sink)


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path)


def _shared(first: ImageFacts, second: ImageFacts) -> set[str]:
    return {*first.layers} & {*second.layers}


def test_docker_images_share_the_layers_that_they_have_in_common(sink: DirectorySink) -> None:
    one, other = _docker(sink, b"one"), _docker(sink, b"other")
    assert _shared(one, other) == {one.layers[0]}


def test_sif_files_share_their_one_layer_where_they_hold_the_same_and_else_nothing(
    sink: DirectorySink,
) -> None:
    one, same, other = _sif(sink, b"one"), _sif(sink, b"one"), _sif(sink, b"other")
    assert len(one.layers) == 1
    assert same.layers == one.layers
    assert _shared(one, other) == set()


def test_a_sif_file_shares_nothing_with_the_docker_image_that_holds_the_same(sink: DirectorySink) -> None:
    assert _shared(_sif(sink, b"one"), _docker(sink, b"one")) == set()
