"""Which evaluations a re-evaluation means: each filter of its scope."""

from uuid import UUID

from server.database import unit_of_work
from server.evaluations.models import Evaluation
from tests.server.lab import Entrant, Lab
from tests.server.reevaluating import Organizing
from tests.server.test_reevaluations import evaluation_of, organizing, teams  # noqa: F401 - fixtures among them


def test_every_filter_of_a_scope_holds_what_it_names(
    lab: Lab,
    teams: dict[str, Entrant],  # noqa: F811
    organizing: Organizing,  # noqa: F811
) -> None:
    evaluation = evaluation_of(teams["Ada"])
    with unit_of_work(lab.sessions) as session:
        ada = session.get_one(Evaluation, UUID(evaluation))
        run = ada.runs[1]
        environment = ["PROCTOR_TASK=task5", "NVIDIA_VISIBLE_DEVICES=GPU-1"]
        gpu = {"uuid": "GPU-1", "model": "NVIDIA H200", "driver": "570.1"}
        run.receipt, run.worker = {"options": {"Env": environment}, "gpu": gpu}, "odd"
        version, image, dataset = ada.evaluator_version, ada.image.digest, ada.dataset.digest
        host, submission = str(run.worker_id), str(ada.submission_id)
        began = ada.created_at.isoformat()
    holds = {
        ("phases", "validation"): 3,
        ("tracks", "open"): 3,
        ("teams", "ADA"): 1,
        ("submissions", submission[:30]): 1,
        ("evaluations", evaluation): 1,
        ("images", image[7:20]): 1,
        ("statuses", "scored"): 3,
        ("verdicts", "valid"): 3,
        ("workers", "odd"): 1,
        ("hosts", host): 3,
        ("gpus", "GPU-1"): 1,
        ("gpus", "nvidia h200"): 1,
        ("evaluator_versions", version): 3,
        ("datasets", dataset): 3,
        ("reasons", "all_failed"): 0,
        ("gpus", "GPU-2"): 0,
        ("gpus", "NVIDIA A100"): 0,
        ("phases", "test"): 0,
    }
    for (name, value), count in holds.items():
        answer = organizing.ask("POST", json={"mode": "rescore", "why": "x", "scope": {name: [value]}}).json()
        found = 0 if answer.get("code") == "nothing_in_scope" else answer["plan"]["evaluations"]
        assert found == count, (name, value, answer)
    for since, count in ((began, 3), ("2100-01-01T00:00:00Z", None)):
        answer = organizing.ask(
            "POST", json={"mode": "rescore", "why": "x", "scope": {"since": since}}
        ).json()
        assert answer.get("plan", {}).get("evaluations") == count
    for scope, code in (
        ({"phases": ["validaton"]}, "unknown_phase"),
        ({"teams": ["Ada", "Bbo"]}, "unknown_team"),
        ({"evaluations": ["!"]}, "not_an_id"),
    ):
        answer = organizing.ask("POST", json={"mode": "rescore", "why": "x", "scope": scope})
        assert answer.json()["code"] == code
    twice = {"mode": "rescore", "why": "x", "repetitions": 2}
    assert organizing.ask("POST", json=twice).json()["code"] == "invalid_request"
    assert len(organizing.ask("GET", "?limit=5").json()) == 5
