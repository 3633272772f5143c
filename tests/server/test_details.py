"""What was found in an output is told where the cases are public, and kept nowhere else."""

import pytest

from server.evaluations.models import CaseRun
from tests.server.lab import Entrant, Lab

FOUND = "found (80, 108, 35), the inputs have (6, 7, 8)"


@pytest.mark.parametrize(
    ("phase", "told"), [("sanity", f"Wrong shape. {FOUND}"), ("validation", "Wrong shape.")]
)
def test_what_was_found_is_kept_in_public_phases_alone(
    phase: str, told: str, lab: Lab, team: Entrant
) -> None:
    if phase == "sanity":
        lab.dataset(phase=phase)
    evaluation, worker = team.submit(phase=phase), lab.worker()
    body = {
        "fault": "output_invalid",
        "check": "shape",
        "message": "Wrong shape.",
        "detail": FOUND,
        "seconds": 1,
    }
    assert worker.call("POST", worker.take(), "finish", json=body).status_code == 204
    run = next(one for one in lab.runs(evaluation) if one.verdict == "output_invalid:shape")
    assert run.message == told
    columns = [str(getattr(run, column.key)) for column in CaseRun.__table__.columns]
    assert any(FOUND in one for one in columns) == (phase == "sanity")
    shown = team.http.get(f"/evaluations/{evaluation}/cases")
    assert (FOUND in shown.text) == (phase == "sanity")
    assert FOUND not in team.http.get(f"/evaluations/{evaluation}").text
