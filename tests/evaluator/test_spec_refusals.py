"""Challenge files that nothing could run, that YAML reads otherwise than people, or that name two things alike."""

from pathlib import Path

import pytest

from evaluator.spec import SpecError, load_challenge, parse_challenge, read_challenge

ROOT = Path(__file__).parents[2] / "challenges"
TEXT = (ROOT / "fomo26" / "challenge.yaml").read_text()
MODEST = "limits: {gpu: null, cpus: 1, pack: auto}\n"


def refused(text: str, overlay: str | None = None, **options: float) -> str:
    with pytest.raises(SpecError) as error:
        read_challenge(text, overlay, **options)
    for one in error.value.problems:
        assert one.line is not None, str(one)
        assert "Input should" not in one.message
        assert "Value error" not in one.message
    return str(error.value)


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


@pytest.mark.parametrize("name", ["fomo25", "fomo26", "skin-lesions"])
def test_the_shipped_files_hold_every_rule(name: str) -> None:
    assert load_challenge(ROOT / name / "challenge.yaml", longest_case=3600)


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("memory: 64g\n", "memory: 64\n", "limits.memory", "did you mean 64m or 64g?"),
        ("memory: 64g\n", "memory: '64'\n", "limits.memory", "did you mean 64m or 64g?"),
        ("memory: 64g\n", "memory: 64.0\n", "limits.memory", "64 bytes are less than 16 MiB"),
        ("memory: 64g\n", "memory: 64k\n", "limits.memory", "64 KiB are less than 16 MiB"),
        ("memory: 64g\n", "memory: 15m\n", "limits.memory", "no container starts with less"),
        ("memory: 64g\n", "memory: 65t\n", "limits.memory", "64 TiB are the most"),
        ("memory: 64g\n", "memory: 64 Gigabyte\n", "limits.memory", "with k, m, g or t"),
        ("memory: 64g\n", "memory: ٦٤m\n", "limits.memory", "with k, m, g or t"),
        ("memory: 64g\n", "memory: -1\n", "limits.memory", "greater than 0"),
        ("memory: 64g\n", "memory: yes\n", "limits.memory", "says nothing here"),
        ("shm: 16g", "shm: 16", "limits.shm", "did you mean 16m or 16g?"),
        ("shm: 16g", "shm: 65g", "limits.shm", "65 GiB are more than the memory (64 GiB)"),
        ("output: 2g", "output: 2m", "limits.output", "counts as full from the start"),
        ("output: 2g", "output: 9t", "limits.output", "8 TiB are the most"),
        ("disk: 32g", "disk: 32", "limits.disk", "did you mean 32m or 32g?"),
        ("image: 40g", "image: 40", "limits.image", "did you mean 40m or 40g?"),
        ("memory: 80g,", "memory: 80,", "limits.gpu.memory", "did you mean 80m or 80g?"),
        ("count: 1,", "count: 2,", "limits.gpu.count", "a slot has one"),
        ("count: 1,", "count: -1,", "limits.gpu.count", "greater than or equal to 0"),
        ("cpus: 32", "cpus: 0", "limits.cpus", "greater than 0, not 0"),
        ("cpus: 32", "cpus: -2", "limits.cpus", "greater than 0"),
        ("cpus: 32", "cpus: .inf", "limits.cpus", "finite"),
        ("cpus: 32", "cpus: 'nan'", "limits.cpus", "finite"),
        ("cpus: 32", "cpus: 0.001", "limits.cpus", "smallest part"),
        ("cpus: 32", "cpus: all", "limits.cpus", "a number is wanted, not 'all'"),
        ("cpus: 32", "cpus: yes", "limits.cpus", "says nothing here"),
        ("cpus: 32", "cpus: [32]", "limits.cpus", "a number is wanted, not a list"),
        ("cpus: 32", "cpus:", "limits.cpus", "a number is wanted, not nothing"),
        ("processes: 4096", "processes: 0", "limits.processes", "greater than 0"),
        ("processes: 4096", "processes: 1", "limits.processes", "an init process beside its program"),
        ("processes: 4096", "processes: 5000000", "limits.processes", "4,194,304 at most"),
        ("processes: 4096", "processes: 40.5", "limits.processes", "a whole number is wanted, not 40.5"),
        ("processes: 4096", "processes: many", "limits.processes", "a whole number is wanted, not 'many'"),
        ("seconds_per_case: 120", "seconds_per_case: 0", "limits.seconds_per_case", "greater than 0"),
        ("seconds_per_case: 120", "seconds_per_case: 0.01", "limits.seconds_per_case", "at least 1"),
        ("seconds_per_case: 120", "seconds_per_case: 2:00", "", "YAML reads 2:00 as a number of base 60"),
        ("seconds_per_case: 120", "seconds_per_case: 0120", "", "YAML reads 0120 as a number of base 8"),
        ("seconds_per_case: 120", "seconds_per_case: 1 h", "limits.seconds_per_case", "a number is wanted"),
        (
            "seconds_per_evaluation: 172800",
            "seconds_per_evaluation: 100",
            "limits.seconds_per_evaluation",
            "less than the 120 that one may take",
        ),
        ("pack: 1", "pack: 2", "limits.pack", "promised 1 GPU and 32 cores"),
        ("pack: 1", "pack: some", "limits.pack", "a whole number is wanted, not 'some'; or has to be 'auto'"),
        ("pack: 1", "pack: yes", "limits.pack", "says nothing here"),
        ("profile: compatible", "profile: strikt", "limits.profile", "did you mean strict?"),
    ],
)
def test_limits_that_no_container_can_have_are_refused(old: str, new: str, field: str, says: str) -> None:
    said = refused(changed(old, new))
    assert f": {field}" in said
    assert says in said


def test_a_task_s_own_limits_and_an_overlay_s_are_held_to_the_same_bounds() -> None:
    own = (
        "    call: [python, /app/predict.py]\n    limits: {seconds_per_case: 1, cpus: 1, memory: 64, shm: 1m,"
    )
    own += " output: 4m, disk: 4m, processes: 2, image: 1m}\n"
    said = refused(changed("    call: [python, /app/predict.py]\n", own))
    assert "challenge.yaml:36: tasks.task1.limits.memory: 64 bytes" in said
    assert refused(TEXT, "limits:\n  memory: 64\n").startswith("overlay.yaml:2: limits.memory: 64 bytes")


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("gpu: null, cpus: 32, pack: 4", "promised 32 cores"),
        ("gpu: null, cpus: 1.5, pack: 2", "promised 1.5 cores"),
        ("cpus: 1, pack: 50", "promised 1 GPU"),
        ("cpus: 1, gpu: {required: false}, pack: 2", "promised 1 GPU"),
    ],
)
def test_packing_more_than_one_is_refused_with_what_is_promised(limits: str, says: str) -> None:
    said = refused(TEXT, f"limits: {{{limits}}}")
    assert says in said
    assert "limits.pack" in said
    assert "write pack: 1" in said


@pytest.mark.parametrize("limits", ["gpu: null, cpus: 1, pack: 4", "gpu: null, cpus: 0.5, pack: auto"])
def test_what_promises_one_core_may_be_packed(limits: str) -> None:
    assert read_challenge(TEXT, f"limits: {{{limits}}}").limits.may_pack


def test_a_promise_alone_keeps_cases_apart() -> None:
    assert not read_challenge(TEXT, "limits: {pack: auto}").limits.may_pack
    assert read_challenge(TEXT, "limits: {pack: auto, gpu: null, cpus: 1}").limits.promised is None


def test_a_case_longer_than_its_lease_is_refused_where_that_is_known() -> None:
    text = changed("seconds_per_case: 120", "seconds_per_case: 20000")
    assert read_challenge(text)
    said = refused(text, longest_case=14000)
    assert "limits.seconds_per_case: 20000 seconds are more than the 14000" in said
    assert "PROCTOR_LONGEST_LEASE_SECONDS" in said


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("key: dwi, flag: --dwi", "key: dwi, flag: --flair", "inputs.1.flag", "the flag of input flair already"),
        ("key: dwi, flag", "key: flair, flag", "inputs.1.key", "the key of input flair already"),
        ("file: dwi.nii.gz", "file: flair.nii.gz", "inputs.1.file", "the file of input flair already"),
        ("file: dwi.nii.gz", "file: FLAIR.nii.gz", "inputs.1.file", "the file of input flair already"),
        ("flag: --swi", "flag: --t2s", "inputs.3.one_of.1.flag", "the flag of input t2s already"),
        ("flag: --swi", "flag: --flair", "inputs.3.one_of.1.flag", "the flag of input flair already"),
        ("flag: --dwi", "flag: --output", "inputs.1.flag", "the container is told with it where to write"),
        ("flag: --dwi", "flag: --help", "inputs.1.flag", "programs answer it and end"),
        ("flag: --dwi", "flag: -d", "inputs.1.flag", "such as --flair"),
        ("flag: --dwi", "flag: --DWI", "inputs.1.flag", "such as --flair"),
        ("flag: --dwi", "flag: '--d wi'", "inputs.1.flag", "such as --flair"),
        ("flag: --dwi", 'flag: "--dwi\\n"', "inputs.1.flag", "such as --flair"),
        ("flag: --dwi", f"flag: --{'d' * 70}", "inputs.1.flag", "at most 64"),
        ("file: dwi.nii.gz", "file: dwi.nii.zip", "inputs.1.file", "write dwi.nii.gz, or dwi.nii"),
        ("file: dwi.nii.gz", "file: dwi.NII.GZ", "inputs.1.file", "write dwi.nii.gz, or dwi.nii"),
        ("file: dwi.nii.gz", "file: dwi.nifti", "inputs.1.file", "write dwi.nii.gz, or dwi.nii"),
        ("file: dwi.nii.gz", "file: dwi.gz", "inputs.1.file", "write dwi.nii.gz, or dwi.nii"),
        ("file: dwi.nii.gz", "file: dwi.hdr", "inputs.1.file", "write dwi.nii.gz, or dwi.nii"),
        ("file: dwi.nii.gz", "file: dwi.nii.gz.nii.gz", "inputs.1.file", "write dwi.nii.gz, or dwi.nii"),
        ("file: dwi.nii.gz", "file: ../dwi.nii.gz", "inputs.1.file", "such as flair.nii.gz"),
        ("file: dwi.nii.gz", f"file: {'d' * 200}.nii", "inputs.1.file", "at most 100"),
        ("call: [python, /app/predict.py]", "call: python /app/predict.py", "call", "[python, /app/predict.py]"),
        ("one_of:", "oneof:", "inputs.3.oneof", "did you mean one_of?"),
        ("call: [python, /app/predict.py]", "call: []", "call", "at least one word"),
        ("call: [python, /app/predict.py]", "call: ['', x]", "call.0", "it is blank"),
        ("call: [python, /app/predict.py]", "call: [python, 3]", "call.1", "put 3 in quotation marks"),
    ],
)  # fmt: skip
def test_inputs_and_calls_that_no_program_could_make_sense_of_are_refused(
    old: str, new: str, field: str, says: str
) -> None:
    said = refused(changed(old, new))
    assert f": tasks.task1.{field}: " in said
    assert says in said
    assert said.count("\n") == 0, "one sentence for one mistake"


def test_a_plain_nifti_name_is_a_name_and_photographs_are_for_numbers_only() -> None:
    assert read_challenge(changed("file: t1w.nii.gz", "file: t1w.nii"))
    assert read_challenge(changed("file: t1w.nii.gz", "file: t1w.png"))
    said = refused(changed("file: t2w.nii.gz", "file: t2w.png"))
    assert "tasks.task4.inputs.0.file: a segmentation has the shape of its inputs" in said


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("1788213599", "1788213599 is a number, and a time is written as 2026-08-31T21:59:59+00:00"),
        ("'1788213599'", "is a number"),
        ("1788213599.5", "is a number"),
        ("1788213599000", "is a number, and a time is written as 2026-06-15T00:00:00+02:00"),
        ("0", "is a number"),
        ("12:30:00", "a number of base 60"),
        ("2026-08-31", "needs its offset"),
        ("2026-08-31 23:59:59", "needs its offset"),
        ("2026-08-31T23:59:59 CEST", "the offset from UTC in digits and not as the name of a zone"),
        ("31.08.2026 23:59", "is no time: write it as"),
        ("soon", "'soon' is no time"),
        ("yes", "says nothing here"),
        ("[]", "no time"),
        ("2026-02-30T00:00:00+00:00", "is no timestamp"),
        ("2026-02-03T00:00:00+99:00", "is no timestamp; put"),
        ("1026-08-31T23:59:59+02:00", "1026 is not one that a challenge has"),
        ("20260-08-31T23:59:59+02:00", "no time"),
        ("2026-06-14T00:00:00+02:00", "has to be later than opens (2026-06-15T00:00:00+02:00)"),
        ("2026-06-15T00:00:00+02:00", "has to be later than opens"),
    ],
)
def test_what_is_no_time_or_closes_before_it_opens_is_refused(new: str, says: str) -> None:
    at = "    attempts: {per: [team, task, track], valid: 3, rejected_per_week: 10} # each failure tells something\n"
    said = refused(changed(at, f"    closes: {new}\n{at}"))
    assert says in said


@pytest.mark.parametrize(
    "new", ["2026-08-31T23:59:59Z", "2026-08-31 23:59:59 +2", "'2026-08-31T23:59:59+0200'"]
)
def test_times_with_an_offset_are_times(new: str) -> None:
    at = "    attempts: {per: [team, task, track], valid: 3, rejected_per_week: 10} # each failure tells something\n"
    assert read_challenge(changed(at, f"    closes: {new}\n{at}")).phases["validation"].closes is not None


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("tracks: [method, open]", "tracks: [yes, no]", "tracks.0", "put it in quotation marks"),
        ("per: [team, task, track], valid: 3", "per: [task], valid: 3", "phases.validation.attempts.per", "list team"),
        ("per: [team, task, track], valid: 3", "per: [], valid: 3", "phases.validation.attempts.per", "list team"),
        ("tracks: [method, open]", "tracks: method", "tracks", "a list, such as [a, b], is wanted, not 'method'"),
        ("tracks: [method, open]", "tracks: [Method]", "tracks.0", "lower case letters, digits and _"),
        ("tracks: [method, open]", "tracks: [1, 2]", "tracks.0", "put 1 in quotation marks"),
        ("tracks: [method, open]", "tracks: []", "tracks", "at least 1"),
        ("challenge: fomo26", "challenge: FOMO 26", "challenge", "such as fomo26"),
        ("challenge: fomo26", "challenge: ../etc", "challenge", "such as fomo26"),
        ("title: FOMO26", "title: off", "title", "put it in quotation marks"),
        ("title: FOMO26", "title: ' '", "title", "is blank"),
        ("title: FOMO26", f"title: {'x' * 201}", "title", "has 201 characters; 200 are the most"),
        ("title: FOMO26", 'title: "a\\nb"', "title", "is one line, and here are several"),
        ("description: F", f"description: {'x' * 10_001}F", "description", "10,000 are the most"),
        ("title: FOMO26", "title: FOMO26\nurl: javascript:alert(1)", "url", "no address of a page"),
        ("title: Meningioma segmentation", "title: acute  infarct Classification", "tasks.task2.title", "of task1"),
        ("title: Validation", "title: Test", "phases.test.title", "'Test' is the title of validation already"),
        ("title: NSD", "title: dsc", "boards.task2.metrics.nsd.title", "people could not tell them apart"),
        ("hidden: false", "hidden: perhaps", "phases.sanity.hidden", "true or false is wanted, not 'perhaps'"),
        ("board: none", "board: nobody", "phases.sanity.board", "has to be 'public', 'sealed' or 'none'"),
        ("kind: embedding", "knd: embedding", "tasks.task6.output", "the field kind is missing"),
        ("kind: embedding", "kind: embeding", "tasks.task6.output", "did you mean embedding?"),
        ("variable: sex", "variable: gender", "boards.task7.groups.0.variable", "has to be 'sex', 'age'"),
        ("500 USD", f"{'x' * 201}", "ranking.prizes.0", "200 are the most"),
        ("[500 USD, 300 USD, 200 USD]", "{places: [a], share_within: all}", "ranking.prizes.share_within", "winner"),
        ("[500 USD, 300 USD, 200 USD]", "{share_within: winner_set}", "ranking.prizes.places", "is missing"),
        ("[500 USD, 300 USD, 200 USD]", "{places: [], share_within: winner_set}", "ranking.prizes.places", "least 1"),
        ("[500 USD, 300 USD, 200 USD]", "{places: [5], share_within: winner_set}", "ranking.prizes.places.0", "5"),
        ("[500 USD, 300 USD, 200 USD]", "gold", "ranking.prizes", "a list, such as [a, b], is wanted, not 'gold'"),
        ("round: null", "round: .inf", "ranking.round", "number"),
    ],
)  # fmt: skip
def test_texts_and_names_that_people_could_not_use_are_refused(
    old: str, new: str, field: str, says: str
) -> None:
    said = refused(changed(old, new))
    assert f": {field}: " in said
    assert says in said


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ('title: "a\\u202eb"', "U+202E"),
        ('title: "a\\u200bb"', "U+200B"),
        ('title: "a\\x07b"', "holds a control character"),
        ('title: "a\\x9bb"', "holds a control character"),
        ('title: "a\\u2028b"', "U+2028"),
        ("title: &a FOMO26\nurl: &a https://example.org", "an anchor (&) of this name stands above already"),
        ("title: *nowhere", "found undefined alias"),
        ("title: FOMO26\ntitle: FOMO27", "'title' stands twice"),
    ],
)
def test_characters_that_nobody_sees_and_names_that_stand_twice_are_refused(new: str, says: str) -> None:
    assert says in refused(changed("title: FOMO26", new))


def test_a_phase_that_an_overlay_misspells_is_said_with_the_one_that_is_meant() -> None:
    said = refused(TEXT, "phases:\n  validaton: {opens: 2026-01-01T00:00:00+00:00}\n")
    assert said == "overlay.yaml:2: phases.validaton.title: is missing; did you mean validation?"


def test_a_version_that_was_stored_before_these_rules_is_still_read() -> None:
    content = read_challenge(TEXT).model_dump(mode="json")
    content["limits"] |= {"memory": 64, "pack": 8, "processes": 1}
    content["tasks"]["task1"]["inputs"][1]["flag"] = "--flair"
    content["phases"]["test"]["title"] = "Validation"
    assert parse_challenge(content).limits.memory == 64


@pytest.mark.parametrize("rule", ["method: rank_then_mean", "method: test_then_rank", "per_case: median"])
def test_whole_sites_are_not_drawn_where_single_cases_are_ranked(rule: str) -> None:
    sites = "boards:\n  task2:\n    bootstrap: {unit: site}\n"
    assert read_challenge(TEXT, sites)
    said = refused(TEXT, f"{sites}ranking: {{{rule}}}\n")
    assert said.startswith(
        f"overlay.yaml:3: boards.task2.bootstrap.unit: dsc, nsd: whole sites cannot be drawn under ranking.{rule}"
    )
    assert "take unit: subject" in said
    whole = f"boards:\n  task1:\n    bootstrap: {{unit: site}}\nranking: {{{rule}}}\n"
    assert read_challenge(TEXT, whole), "AUROC is ranked by its value under each rule"
