"""Every request has an id: in its answer, in problem documents, and in the lines of the log that it makes."""

import re

import httpx
import pytest

from tests.server.lab import Entrant, Lab
from tests.server.test_bases import MakeEntrant


def test_a_request_keeps_the_id_that_it_brings_if_that_is_a_sane_one(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    lab.dataset(cases=1)
    team: Entrant = entrant("Traced")
    given = "trace-0123456789"
    refused = nobody.get("/me", headers={"X-Request-ID": given})
    assert refused.headers["X-Request-ID"] == given
    assert refused.json()["instance"] == f"urn:proctor:request:{given}"
    for bad in ("x", "a" * 65, "two words", "new\tline"):
        answer = nobody.get("/me", headers={"X-Request-ID": bad})
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    team.http.headers["X-Request-ID"] = given
    team.submit()
    lines = [line for line in capfd.readouterr().err.splitlines() if "submitted" in line]
    assert any(f"request={given}" in line and "submission=" in line for line in lines)
