"""Receipts as teams get them: what they say of public and of hidden cases, when, and that they verify."""

import hashlib
from base64 import b64decode

import httpx
import pytest

from contract.images import DeclaredCheckpoint
from evaluator.scoring import MetricReport
from evaluator.signing import verify
from evaluator.spec import Challenge
from server.database import unit_of_work
from server.evaluations import scoring
from server.evaluations.receipt_keys import require_own_key
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.seeded import report
from tests.server.test_checkpoints import MISSING, NOT_DECLARED, ONE, declares, verified
from tests.server.test_leaderboard import change
from tests.server.test_scoring_faults import claimed

SOURCE = {"commit": "0123456789" * 4, "clean": False}
VALUE = 0.123456789


def settled(lab: Lab, team: Entrant, phase: str) -> str:
    sent = {"track": "open", "phase": phase, "images": {"task5": team.image}, "source": SOURCE}
    answer = team.http.post(
        f"/challenges/{lab.slug}/submissions", json=sent, headers={"Idempotency-Key": phase}
    )
    assert answer.json()["source"] == SOURCE
    evaluation = str(answer.json()["evaluations"][0]["id"])
    missing = team.http.get(f"/evaluations/{evaluation}/receipt")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_receipt")
    worker = lab.worker()
    assert worker.finish(worker.take(), fault="timeout").status_code == 204
    worker.drain()
    claim = claimed(lab)
    assert claim is not None
    reports = {"task5": report("task5", auroc=MetricReport(value=VALUE))}
    with unit_of_work(lab.sessions) as session:
        require_own_key(session, lab.settings)
        scoring.settle(session, *claim, reports, scored_with={}, settings=lab.settings)
    return evaluation


def receipt(http: httpx.Client, evaluation: str, *, admin: bool = False) -> Json:
    answer = http.get(f"{'/admin' if admin else ''}/evaluations/{evaluation}/receipt")
    assert answer.status_code == 200, answer.text
    assert verify(answer.json()["statement"], answer.json()["signature"], answer.json()["key"])
    return dict(answer.json())


def test_of_public_cases_a_team_gets_the_whole_receipt(lab: Lab, team: Entrant, admin: Person) -> None:
    lab.dataset("task5", cases=3, phase="sanity")
    evaluation = settled(lab, team, "sanity")
    own = receipt(team.http, evaluation)
    assert own == receipt(admin.http, evaluation, admin=True)
    assert len(own["statement"]["cases"]) == 3
    assert own["statement"]["source"] == SOURCE


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        (verified(ONE), {"checkpoint": {"state": "verified", "sha256": ONE}}),
        (MISSING, {"checkpoint": {"state": "missing", "sha256": ONE}}),
        (NOT_DECLARED, {"checkpoint": {"state": "not_declared", "sha256": None}}),
        (None, {}),
    ],
)
def test_it_names_the_checkpoint_of_the_image_as_its_check_found_it(
    lab: Lab, team: Entrant, checkpoint: DeclaredCheckpoint | None, said: Json
) -> None:
    lab.dataset("task5", cases=3, phase="sanity")
    declares(lab, team, checkpoint)
    statement = receipt(team.http, settled(lab, team, "sanity"))["statement"]
    assert {name: one for name, one in statement.items() if name == "checkpoint"} == said


def test_of_hidden_cases_a_team_gets_counts_and_what_is_shown_of_scores_once_it_is_shown(
    lab: Lab, team: Entrant, admin: Person, fomo26: Challenge
) -> None:
    evaluation = settled(lab, team, "validation")
    own, whole = receipt(team.http, evaluation), receipt(admin.http, evaluation, admin=True)
    assert own["statement"]["cases"] == {"count": 5, "verdicts": {"timeout": 1, "valid": 4}}
    shown = team.evaluation(evaluation)["scores"]["task5"]["auroc"]["value"]
    assert own["statement"]["scores"] == {"task5": {"auroc": shown}}
    assert shown != VALUE, "hidden phases round"
    signed = hashlib.sha256(b64decode(whole["signature"])).hexdigest()
    assert own["statement"]["whole"] == f"sha256:{signed}"
    told = str(own)
    for run in lab.runs(evaluation):
        assert run.pseudonym not in told
        assert run.output is None or run.output not in told
    same = {name: value for name, value in whole["statement"].items() if name not in ("cases", "scores")}
    assert own["statement"].items() >= same.items()
    phase = fomo26.phases["validation"].model_copy(update={"board": "sealed"})
    change(lab, fomo26, phases=fomo26.phases | {"validation": phase})
    sealed = team.http.get(f"/evaluations/{evaluation}/receipt")
    assert (sealed.status_code, sealed.json()["code"]) == (403, "board_sealed")
