"""What the client reads: answers of the first servers and of later ones, with what each has that the other has not."""

import ast
import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import client.account_calls
import client.api
import contract
from contract.accounts import TokenOut
from contract.answers import Answer
from contract.statuses import ENDED, CaseStatus, EvaluationStatus, UploadStatus
from contract.submissions import EvaluationOut
from contract.uploads import UploadOut

FIRST: dict[str, Any] = json.loads((Path(__file__).parent / "first_answers.json").read_text())
"""An answer of each kind with what the first servers sent, which is less than is sent now."""
MODELS: dict[str, type[BaseModel]] = {
    name: one
    for module in pkgutil.iter_modules(contract.__path__)
    for name, one in vars(importlib.import_module(f"contract.{module.name}")).items()
    if isinstance(one, type) and issubclass(one, BaseModel)
}


def with_news(answer: Any) -> Any:
    """The same with a field in every object that nobody knows yet."""
    if isinstance(answer, list):
        return [with_news(one) for one in answer]
    if isinstance(answer, dict):
        return {name: with_news(one) for name, one in answer.items()} | {"news": {"of": [1]}}
    return answer


def test_there_is_an_answer_for_every_model_that_the_client_reads() -> None:
    reads = ("get", "post", "get_list", "get_pages", "read")
    read = {
        ast.unparse(call.args[0])
        for module in (client.api, client.account_calls)
        for call in ast.walk(ast.parse(Path(str(module.__file__)).read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).removeprefix("self.") in reads
    }
    assert read == set(FIRST)


@pytest.mark.parametrize("name", FIRST)
def test_an_older_server_is_understood(name: str) -> None:
    """A field that is missing here has to be marked with `Older` and what its reader takes without it."""
    MODELS[name].model_validate_json(json.dumps(FIRST[name]))


@pytest.mark.parametrize("name", [name for name in FIRST if name != "ChallengeDetail"])
def test_what_a_newer_server_adds_is_left_aside(name: str) -> None:
    answer = with_news(FIRST[name])
    free = {"verdicts", "scores", "metrics", "board_ranks", "about", "statement"}  # whose names are no fields
    read = MODELS[name].model_validate_json(json.dumps(_without(answer, free)))
    assert read == MODELS[name].model_validate_json(json.dumps(_without(FIRST[name], free)))
    assert "news" not in read.model_dump_json()


def _without(answer: Any, names: set[str]) -> Any:
    if isinstance(answer, list):
        return [_without(one, names) for one in answer]
    if isinstance(answer, dict):
        return {
            key: {} if isinstance(one, dict) and key in names else _without(one, names)
            for key, one in answer.items()
        }
    return answer


def test_a_status_that_only_a_newer_server_knows_is_read_and_is_no_end() -> None:
    read = EvaluationOut.model_validate(FIRST["EvaluationOut"] | {"status": "withdrawn"})
    assert (read.status, read.ended) == ("withdrawn", False)
    assert read.model_dump(mode="json")["status"] == "withdrawn"
    for status in EvaluationStatus:
        known = EvaluationOut.model_validate_json(json.dumps(FIRST["EvaluationOut"] | {"status": status}))
        assert known.status is status
        assert known.ended is (status in ENDED)
    assert UploadOut.model_validate(FIRST["UploadOut"] | {"status": "parked"}).status == "parked"
    assert UploadOut.model_validate(FIRST["UploadOut"]).status is UploadStatus.READY
    assert MODELS["CaseOut"].model_validate(FIRST["CaseOut"]).status is CaseStatus.DONE  # type: ignore[attr-defined]


def test_whoever_makes_an_answer_gives_all_of_it() -> None:
    """Also what has a default for readers: an older server lacks it, and this one does not."""

    class Row:
        last_used_at = network = None
        id, name, scopes, created_at, expires_at, revoked_at = (
            "t",
            "ci",
            ["read"],
            "2026-01-01T00:00:00Z",
            None,
            None,
        )

    with pytest.raises(TypeError, match="TokenOut needs parent_id"):
        TokenOut.of(Row())
    with pytest.raises(TypeError, match="TokenOut has no field parent"):
        TokenOut.of(Row(), parent=None, parent_id=None)
    assert TokenOut.of(Row(), parent_id="p", name="other").name == "other"
    assert issubclass(TokenOut, Answer)
