"""A score worker on references that are wrong or gone: what it keeps for admins, and what a retry mends."""

import errno
import os
import signal
from uuid import UUID

import pytest

from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.submissions.retry import retry
from tests.server.lab import Entrant, Lab
from tests.server.test_scoring_faults import in_scoring, turn
from worker.score.child import ScorerLost, ScoringFailed, failure
from worker.score.evaluations import score_waiting

LABELS = ["0", "1", "0", "1", "0"]


def write_references(lab: Lab, evaluation: str, labels: list[str]) -> None:
    with unit_of_work(lab.sessions) as session:
        folder = lab.settings.references / session.get_one(Evaluation, UUID(evaluation)).dataset.folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"sub-{number:02},sub-{number:02},{label}\n" for number, label in enumerate(labels)]
    (folder / "references.csv").write_text("case,subject,label\n" + "".join(rows))


def score(lab: Lab, evaluation: str) -> Evaluation:
    """Has the score worker look once, whatever pause the evaluation has."""
    turn(lab, evaluation, "scoring_not_before")
    score_waiting(lab.sessions, lab.settings)
    with unit_of_work(lab.sessions) as session:
        return session.get_one(Evaluation, UUID(evaluation))


def test_a_reference_that_cannot_be_read_is_named_and_a_retry_scores_without_a_container(
    lab: Lab, team: Entrant
) -> None:
    evaluation = in_scoring(lab, team)
    write_references(lab, evaluation, [*LABELS[:2], "89+", *LABELS[3:]])
    assert score(lab, evaluation).status == "scoring", "a second look"
    found = score(lab, evaluation)
    assert (found.status, found.reason_code) == ("errored", "scorer_failed")
    assert found.trouble is not None
    assert found.trouble.endswith("references.csv:4: label '89+' is not a decimal number such as 0.25")
    assert "sub-02" not in found.trouble, "hidden cases are named by their place"
    write_references(lab, evaluation, LABELS)
    with unit_of_work(lab.sessions) as session:
        retry(session, UUID(evaluation), actor="tests", settings=lab.settings)
    assert lab.worker().lease() is None
    assert score(lab, evaluation).status == "scored"
    assert team.quota()["spent"] == 1


def test_references_that_are_gone_park_the_scoring_until_they_are_back(lab: Lab, team: Entrant) -> None:
    evaluation = in_scoring(lab, team)
    for _ in range(4):
        assert score(lab, evaluation).status == "scoring"
    assert team.evaluation(evaluation)["note"].startswith("Waits: the platform is disturbed")
    write_references(lab, evaluation, LABELS)
    assert score(lab, evaluation).status == "scored"
    assert team.evaluation(evaluation)["note"] is None


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (2, "references.csv:4: label '89+' is no number", ScoringFailed),
        (1, "Traceback (most recent call last): …", ScoringFailed),
        (-signal.SIGSEGV, "", ScoringFailed),
        (-signal.SIGKILL, "", ScorerLost),
        (-signal.SIGTERM, "", ScorerLost),
        (2, f"report.json: {os.strerror(errno.ENOSPC)}", ScorerLost),
        (1, f"OSError: {os.strerror(errno.EIO)}", ScorerLost),
    ],
)
def test_a_scorer_that_was_killed_or_had_no_disk_is_disturbed_and_any_other_has_failed(
    code: int, text: str, kind: type[ScoringFailed]
) -> None:
    found = failure("task5", code, text)
    assert type(found) is kind
    assert text in str(found)
    assert str(found).startswith("task5: ")
