import json
import os

import nibabel
import numpy as np
import pytest

from evaluator.manifest import ManifestError, load_manifest, load_references
from evaluator.outputs import NumberOutput, SegmentationOutput

HASH = "0" * 64
AGE = NumberOutput(kind="number")
MASK = SegmentationOutput(kind="segmentation", labels=(0, 1))


def manifest_of(*cases, dataset="d", path="a/t1w.nii.gz"):
    files = {"t1w": {"path": path, "sha256": HASH}}
    return {"dataset": dataset, "cases": [{"case": case, "files": files} for case in cases]}


def saved(directory, content):
    path = directory / "manifest.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


def loaded(directory, *cases):
    return load_manifest(saved(directory, manifest_of(*cases)))


def references_of(directory, text, *cases):
    (directory / "references.csv").write_text(text)
    return load_references(directory, loaded(directory, *cases))


def test_cases_keep_their_order(tmp_path):
    assert loaded(tmp_path, "sub-2", "sub-1").names == ("sub-2", "sub-1")


def test_digest_is_of_the_content_and_not_of_the_place(tmp_path):
    here = load_manifest(saved(tmp_path, manifest_of("a", "b")))
    there = load_manifest(saved(tmp_path, manifest_of("a", "b", path="elsewhere/t1w.nii.gz")))
    other = load_manifest(saved(tmp_path, manifest_of("b", "a")))
    assert here.digest == there.digest
    assert here.digest != other.digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{\n"dataset": "d",\n"cases": [,]}', "manifest.json:3: not valid JSON"),
        (manifest_of("a", "b", "a"), r"manifest.json:\d+: cases.2: same case name as entry 1"),
        (manifest_of("../a"), r"manifest.json:5: cases.0.case: "),
        ({"dataset": "d", "cases": []}, "manifest.json:3: cases: "),
        (manifest_of("a") | {"extra": 1}, "extra: Extra inputs"),
    ],
)
def test_a_bad_manifest_names_file_line_and_field(tmp_path, content, message):
    with pytest.raises(ManifestError, match=message):
        load_manifest(saved(tmp_path, content))


def test_a_manifest_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match="no such file"):
        load_manifest(tmp_path / "none.json")


def test_references_come_by_case_in_manifest_order(tmp_path):
    text = "case,subject,label,cohort,sex,age,site,scanner\nb,s1,1,x,F,40.5,A,S\nz,,,,,,,\na,s1,0,n/a,,,A,\n"
    found = references_of(tmp_path, text, "a", "b")
    assert list(found.rows) == ["a", "b"]
    assert (found.rows["b"].subject, found.rows["b"].sex, found.rows["b"].age) == ("s1", "F", 40.5)
    assert (found.rows["a"].cohort, found.rows["a"].age, found.rows["a"].scanner) == (None, None, None)
    assert [found.label(case, AGE) for case in "ab"] == [0, 1]


def test_without_a_subject_sessions_of_a_case_name_belong_together(tmp_path):
    found = load_references(tmp_path, loaded(tmp_path, "sub-1_ses-01", "sub-1_ses-02", "sub-2"))
    assert [row.subject for row in found.rows.values()] == ["sub-1", "sub-1", "sub-2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "case,chohort\na,x\n",
            "references.csv:1: no column is called 'chohort'; the columns are case, subject, label, cohort",
        ),
        ("subject,label\na,x\n", "references.csv:1: there is no column case; the columns are case, subject"),
        ("case,label\na,1\na,0\n", "references.csv:3: same case as line 2"),
        ("case,label\nb,1\n", "1 of 1 cases of the manifest have no row, the first is entry 1"),
        ("case,label\na\n", "references.csv:2: the row does not have as many cells"),
        ("case,label\n,1\n", "references.csv:2: the case has no name"),
    ],
)
def test_bad_references_name_file_and_line(tmp_path, text, message):
    with pytest.raises(ManifestError, match=message):
        references_of(tmp_path, text, "a")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("", "references.csv:2: the case has no label"),
        ("yes", "not a decimal number"),
        ("١", "not a decimal number"),
    ],
)
def test_a_label_that_is_no_number_is_an_error_where_it_is_needed(tmp_path, label, message):
    found = references_of(tmp_path, f"case,label\na,{label}\n", "a")
    with pytest.raises(ManifestError, match=message):
        found.label("a", AGE)


@pytest.mark.parametrize("cell", ["89+", "18-38", "old", "1_0", "٤٢", "0", "-1", "nan", "n/a", "1e999"])
def test_an_age_that_is_no_number_above_zero_is_unknown_and_never_an_error(tmp_path, cell):
    row = references_of(tmp_path, f"case,age\na,{cell}\n", "a").rows["a"]
    assert row.age is None
    assert row.unread_age == (None if cell in ("nan", "n/a") else cell)


def test_a_label_just_outside_the_range_is_the_bound_as_it_is_for_outputs(tmp_path):
    share = NumberOutput(kind="number", minimum=0, maximum=1)
    found = references_of(tmp_path, "case,label\na,1.0000001192\nb,-1e-17\nc,1.001\n", *"abc")
    assert [found.label(case, share) for case in "ab"] == [1.0, 0.0]
    with pytest.raises(ManifestError, match=r"references.csv:4: label '1.001' must lie between 0 and 1"):
        found.label("c", share)


def label_map(directory, data, zooms=(0.1, 1, 6)):
    image = nibabel.Nifti1Image(data, np.diag([*zooms, 1]))
    nibabel.save(image, directory / "a.nii.gz")
    return load_references(directory, loaded(directory, "a")).label_map("a", MASK)


def test_a_label_map_has_the_spacing_of_its_header_without_float32_noise(tmp_path):
    found = label_map(tmp_path, np.ones((2, 3, 4), np.float32))
    assert found.labels.shape == (2, 3, 4)
    assert found.spacing_mm == (0.1, 1.0, 6.0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((2, 2, 2, 2), np.uint8), "three dimensions"),
        (np.full((2, 2, 2), 0.5, np.float32), "not integers"),
    ],
)
def test_a_label_map_that_is_none_is_an_error(tmp_path, data, message):
    with pytest.raises(ManifestError, match=message):
        label_map(tmp_path, data, (1, 1, 1))


def test_a_spacing_that_is_no_size_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match="smaller than 1e-4 mm"):
        label_map(tmp_path, np.ones((2, 2, 2), np.uint8), (1, 1e-6, 1))


def test_a_missing_or_broken_label_map_is_an_error_without_a_case_name(tmp_path):
    found = load_references(tmp_path, loaded(tmp_path, "b", "secret"))
    with pytest.raises(ManifestError, match=r"^entry 2 of the manifest: its reference label map is missing$"):
        found.label_map("secret", MASK)
    (tmp_path / "secret.nii.gz").write_bytes(b"no image")
    with pytest.raises(
        ManifestError, match=r"^entry 2 of the manifest: its reference label map cannot be used"
    ):
        found.label_map("secret", MASK)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"dataset": ' + "9" * 5000 + "}", "manifest.json: Exceeds the limit"),
        ('{"dataset": "d", "dataset": "e", "cases": []}', "the key 'dataset' stands twice"),
        ('{"dataset": "d", "cases": ' + "[" * 500 + "]" * 500 + "}", "manifest.json"),
    ],
)
def test_json_that_reads_in_two_ways_or_in_none_is_an_error(tmp_path, content, message):
    with pytest.raises(ManifestError, match=message):
        load_manifest(saved(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"case,label\na,1\n', "references.csv:2: not valid CSV"),
        ("case,label,label\na,1,0\n", "references.csv:1: two columns are called 'label'"),
    ],
)
def test_references_that_could_be_misread_are_refused(tmp_path, text, message):
    with pytest.raises(ManifestError, match=message):
        references_of(tmp_path, text, "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("case,site\na,Århus\n".encode("latin-1"), "the byte 0xc5 in line 2 is no UTF-8 .Latin-1, perhaps."),
        (
            "case,site\na,A\n".encode("utf-16"),
            "is UTF-16, as Excel and PowerShell write it; save it as UTF-8",
        ),
        (b"case;label\na;1\n", "references.csv:1: columns are separated by semicolons; write commas"),
        (b"case\tlabel\na\t1\n", "references.csv:1: columns are separated by tabs; write commas"),
    ],
)
def test_tables_in_another_form_are_named_as_what_they_are(tmp_path, content, message):
    (tmp_path / "references.csv").write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        load_references(tmp_path, loaded(tmp_path, "a"))


def test_a_cohort_in_composed_and_decomposed_characters_is_one(tmp_path):
    found = references_of(tmp_path, "case,cohort\na,Ne\u0301\nb,N\u00e9\n", "a", "b")
    assert {row.cohort for row in found.rows.values()} == {"N\u00e9"}


def test_a_table_that_is_no_file_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "references.csv")
    with pytest.raises(ManifestError, match=r"references\.csv: is no file"):
        load_references(tmp_path, loaded(tmp_path, "a"))
