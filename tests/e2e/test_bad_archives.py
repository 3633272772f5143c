"""Archives that are no images: each is refused with its own code and sentence, without being loaded or run."""

import gzip

import pytest

from tests.e2e.people import Person
from tests.sandbox.archives import LAYER, config, legacy, pack, tar, together

GOOD = pack(legacy(LAYER))
TWO = together(legacy(LAYER), legacy(LAYER, image=config(LAYER, author="another")))

BAD = {
    "no tar": (b"PK\x03\x04" + bytes(range(256)) * 8, "not_a_tar", "tar"),
    "a truncated tar": (GOOD[:-11000], "truncated", "end"),
    "a gzip of zeros": (gzip.compress(bytes(1 << 20)), "not_a_tar", "zeros"),
    "two images": (pack(TWO), "several_images", "docker save"),
    "an arm64 image": (
        pack(legacy(LAYER, image=config(LAYER, architecture="arm64"))),
        "wrong_architecture",
        "arm64",
    ),
    "a wrong layer digest": (pack(legacy(LAYER, image=config(tar()))), "wrong_digest", "digest"),
    "a member outside the archive": (
        tar(*legacy(LAYER).items(), ("../evil", b"x")),
        "unsafe_path",
        "../evil",
    ),
}


@pytest.fixture(scope="session")
def uploads(stranger: Person) -> dict[str, str]:
    """Every bad archive uploaded; ids by name."""
    return {name: stranger.send(data) for name, (data, _, _) in BAD.items()}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_gets_its_own_code_and_sentence(
    name: str, uploads: dict[str, str], stranger: Person
) -> None:
    _, code, part = BAD[name]
    seen = stranger.checked(uploads[name])
    assert (seen["status"], seen["code"], seen["image"]) == ("rejected", code, None)
    assert part in seen["message"]
    assert seen["message"].endswith(".")


def test_no_two_of_them_read_alike(uploads: dict[str, str], stranger: Person) -> None:
    sentences = {stranger.checked(upload)["message"] for upload in uploads.values()}
    assert len(sentences) >= len(BAD) - 1  # "no tar" and "zeros" both are no tar


def test_a_good_image_is_accepted_afterwards(uploads: dict[str, str], stranger: Person) -> None:
    for upload in uploads.values():
        stranger.checked(upload)
    assert stranger.upload(GOOD)["status"] == "ready"
