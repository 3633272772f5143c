"""What the platform says of a failed case names the limit that the case ran into."""

import pytest

from evaluator.spec import Limits, with_limit
from evaluator.verdicts import HINTS, OUTPUT_FULL, SHM_FULL, Fault

LIMITS = Limits(
    seconds_per_case=90,
    cpus=1,
    memory="3g",
    shm="512m",
    output="1g",
    output_files=2000,
    disk="10g",
    processes=1024,
    image="20g",
)


@pytest.mark.parametrize(
    ("sentence", "limit"),
    [
        (HINTS[Fault.TIMEOUT], "90 s"),
        (HINTS[Fault.OUT_OF_MEMORY], "3 GiB"),
        (HINTS[Fault.DISK_FULL], "10 GiB; /output 1 GiB in 2,000 files"),
        (HINTS[Fault.TOO_MANY_PROCESSES], "1,024 processes and threads"),
        (OUTPUT_FULL, "1 GiB in 2,000 files"),
        (SHM_FULL, "512 MiB"),
    ],
)
def test_a_sentence_on_a_limit_names_it(sentence: str, limit: str) -> None:
    assert with_limit(sentence, LIMITS) == f"{sentence[:-1]} (limit: {limit})."


@pytest.mark.parametrize(
    "sentence", [HINTS[Fault.EXIT_CODE], HINTS[Fault.NO_START], "Of another worker.", ""]
)
def test_other_sentences_stay_as_they_are(sentence: str) -> None:
    assert with_limit(sentence, LIMITS) == sentence
