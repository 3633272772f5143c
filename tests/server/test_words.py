"""What a schema refuses is told in words, by the field's own name, and without the value."""

from typing import Any

import httpx
import pytest
from pydantic import BaseModel, Field, ValidationError

from server.words import words
from tests.server.conftest import Person


class Row(BaseModel, extra="forbid"):
    name: str = Field("Ada", min_length=2, max_length=3)
    tags: list[str] = Field(default_factory=list, max_length=1)
    count: int = 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "x"}, "at least 2 characters are needed"),
        ({"name": "xxxx"}, "at most 3 characters are allowed"),
        ({"name": 7}, "has to be text"),
        ({"tags": ["a", "b"]}, "at most 1 entry is allowed"),
        ({"count": "some"}, "has to be a valid integer"),
        ({"more": 1}, "is no field that this takes"),
    ],
)
def test_an_error_of_a_schema_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Row.model_validate(given)
    assert words(refused.value.errors()[0]) == said


def test_a_refused_request_names_its_field_and_not_where_it_stood(admin: Person) -> None:
    def detail(answer: httpx.Response) -> str:
        assert answer.status_code == 422, answer.text
        return str(answer.json()["detail"])

    assert (
        detail(admin.http.get("/submissions/01a2"))
        == "submission_id: is no id; give the whole of it, as lists show it"
    )
    assert (
        detail(admin.http.get("/admin/teams", params={"limit": "all"})) == "limit: has to be a valid integer"
    )
    broken = admin.http.post("/sessions", content=b"{", headers={"Content-Type": "application/json"})
    assert detail(broken).endswith("is no valid JSON")
