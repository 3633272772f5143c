"""What a score worker may write into its log."""

from worker.score.evaluations import without_case_names


def test_a_log_names_cases_by_their_place() -> None:
    said = without_case_names("references/sub-12.nii.gz is cut off, sub-1 is not", ["sub-1", "sub-12"])
    assert said == "references/case 2.nii.gz is cut off, case 1 is not"


def test_a_text_without_cases_stays() -> None:
    assert without_case_names("exit code 2", []) == "exit code 2"
