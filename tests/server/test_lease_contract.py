"""The lease API across versions: what a worker and a server of an earlier release said is read as it was meant."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from contract.leases import Finish, HeldLeases, Lease, LostLeases, Release, SlotOffer, SlotState, StoredOutput
from contract.statuses import Mode
from server.database import unit_of_work
from server.evaluations.worker_models import WorkerSlot
from tests.server.lab import Entrant, Json, Lab
from worker.embedded.data import CHECKOUT

RECORDED = json.loads((CHECKOUT / "tests/data/lease_api.json").read_text())
MODELS: dict[tuple[str, str], type[BaseModel]] = {
    ("answers", "lease"): Lease,
    ("answers", "heartbeat"): LostLeases,
    ("answers", "output"): StoredOutput,
    ("requests", "lease"): SlotOffer,
    ("requests", "slot"): SlotState,
    ("requests", "heartbeat"): HeldLeases,
    ("requests", "finish"): Finish,
    ("requests", "release"): Release,
}


@pytest.mark.parametrize(("side", "what"), MODELS)
def test_each_message_is_what_it_was_on_the_wire(side: str, what: str) -> None:
    recorded = RECORDED[side][what]
    read = MODELS[side, what].model_validate(recorded)
    assert read.model_dump(mode="json") == recorded


def test_what_a_slot_says_of_its_gpus_driver_is_said_only_where_it_is_known() -> None:
    offer = RECORDED["requests"]["lease"]
    assert SlotOffer.model_validate(offer).gpu_cuda is None
    newer = offer | {"gpu_cuda": "12.8", "gpu_driver": "570.124"}
    assert SlotOffer.model_validate(newer).model_dump(mode="json") == newer


def _with_something_new(value: Any) -> Any:
    if isinstance(value, dict):
        grown = {key: _with_something_new(part) for key, part in value.items()}
        return grown if grown.keys() <= {"t1w"} else grown | {"something_new": 1}
    return [_with_something_new(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("side", "what"), MODELS)
def test_fields_of_a_later_version_are_passed_over(side: str, what: str) -> None:
    recorded = RECORDED[side][what]
    known = {key: recorded[key] for key in ("task", "limits", "receipt") if key in recorded}
    model = MODELS[side, what]
    assert model.model_validate(_with_something_new(recorded) | known) == model.model_validate(recorded)


@pytest.mark.parametrize("part", ["task", "limits"])
def test_a_case_with_a_limit_that_the_worker_does_not_know_is_not_run(part: str) -> None:
    lease = RECORDED["answers"]["lease"]
    with pytest.raises(ValidationError, match="something_new"):
        Lease.model_validate(lease | {part: lease[part] | {"something_new": 1}})


def test_a_server_that_knows_no_modes_leases_single_fresh_cases() -> None:
    lease = RECORDED["answers"]["lease"]
    read = Lease.model_validate({key: lease[key] for key in lease.keys() - {"mode", "more", "repeat"}})
    assert (read.mode, [case.name for case in read.each()], read.repeat) == (Mode.FRESH, [read.name], False)


def _keys(value: Any) -> Any:
    return {key: _keys(part) for key, part in value.items()} if isinstance(value, dict) else None


def test_a_worker_of_an_earlier_version_is_served(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    asked: Json = RECORDED["requests"]
    http = lab.worker().http
    first, second = (http.post("/worker/leases", json=asked["lease"]).json() for _ in range(2))
    recorded = RECORDED["answers"]["lease"]
    assert first.keys() == {*recorded.keys(), "submission"}, "what is new beside the task it leaves aside"
    assert _keys(first["inputs"]) == _keys(recorded["inputs"])
    assert _keys(first["task"]) == _keys(recorded["task"])
    assert first["image"].keys() == recorded["image"].keys()
    assert first["limits"].keys() == recorded["limits"].keys(), "and none that it may not know"
    assert http.put("/worker/slots/run-1", json=asked["slot"]).status_code == 204
    held = [{"case_run": lease["case_run"], "claim_no": lease["claim_no"]} for lease in (first, second)]
    assert http.post("/worker/heartbeat", json={"leases": held}).json() == {"lost": []}
    ended = http.post(
        f"/worker/leases/{first['case_run']}/finish", params={"claim_no": 1}, json=asked["finish"]
    )
    back = http.post(
        f"/worker/leases/{second['case_run']}/release", params={"claim_no": 1}, json=asked["release"]
    )
    assert (ended.status_code, back.status_code) == (204, 204)
    done = next(run for run in lab.runs(evaluation) if str(run.id) == first["case_run"])
    assert (done.verdict, done.message, done.warnings) == (
        "output_invalid:shape",
        "The shape differs.",
        ["one warning"],
    )
    assert done.log == "what it wrote"
    assert (done.seconds, done.wait_seconds, done.peak_memory_bytes) == (
        pytest.approx(1, abs=0.9),
        0.75,
        2**28,
    )
    assert done.receipt is not None
    said = {key: value for key, value in done.receipt.items() if key != "implausible"}
    assert said == asked["finish"]["receipt"]
    with unit_of_work(lab.sessions) as session:
        slot = session.query(WorkerSlot).filter_by(name="run-1").one()
        assert (slot.unfit, slot.faulted, slot.gpu_cuda) == ("why", 1, None)
