"""The page cache keeps an image's own files from one case to the next: it is no place to leave something in."""

import random
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.images import build_image
from tests.hostile import page_cache
from tests.sandbox.conftest import Run


@pytest.fixture(scope="session")
def keeper(load: Callable[[Path], str], base: str) -> str:
    """An image with the program and its large file, which nobody else has."""
    store = random.Random(uuid.uuid4().int).randbytes(page_cache.BITS * page_cache.STRIDE)  # noqa: S311
    files = {"/app/predict.py": Path(page_cache.__file__).read_bytes(), page_cache.STORE: store}
    return load(build_image(files, base, name=f"proctor-page-cache-{uuid.uuid4().hex[:8]}"))


@pytest.mark.parametrize("profile", ["compatible", "strict"])
def test_a_case_leaves_no_bit_of_its_input_in_the_pages_of_the_image(
    run: Run, keeper: str, profile: str
) -> None:
    done = run("leave", image=keeper, profile=profile)
    assert done.verdict.code == "valid", done.log
    found = run("find", image=keeper, profile=profile)
    assert found.verdict.code == "valid", found.log
    told = dict(line.split(maxsplit=1) for line in found.log.splitlines())
    secret = told.pop("secret")
    assert len(told) == len(page_cache.WAYS)
    for way, bits in told.items():
        assert bits != secret, way
        same = sum(one == other for one, other in zip(bits, secret, strict=True))
        assert same < 0.9 * page_cache.BITS, f"{way} told {same} bits of {page_cache.BITS}"
    unknown = "?" * page_cache.BITS
    assert told["by_mincore"] == told["by_cachestat"] == told["by_not_waiting"] == unknown


def test_advice_that_honest_programs_give_still_succeeds(run: Run, keeper: str) -> None:
    outcome = run("uses", image=keeper)
    assert outcome.verdict.code == "valid", outcome.log
    assert outcome.log.splitlines() == ["advices {}", "vectors 8 8"], outcome.log
