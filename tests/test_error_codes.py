"""The closed list of error codes: one meaning each, every one made somewhere, and the page of them is true."""

import re

from client.errors import Exit, Problem
from contract.problems import ErrorCode
from worker.embedded.data import CHECKOUT

PAGE = CHECKOUT / "docs" / "error-codes.md"


def test_the_page_lists_every_code_with_its_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(code.value, code.meaning) for code in ErrorCode], "a line for each, in their order"


def test_no_two_codes_mean_one_thing() -> None:
    assert len({code.meaning for code in ErrorCode}) == len(ErrorCode)
    assert all(code.name.lower() == code for code in ErrorCode)


def test_every_code_is_made_by_the_server_and_named_nowhere_else_as_a_text() -> None:
    sources = [path.read_text() for path in (CHECKOUT / "server").rglob("*.py")]
    named = {name for source in sources for name in re.findall(r"ErrorCode\.([A-Z0-9_]+)", source)}
    assert named == {code.name for code in ErrorCode}
    made = re.compile(r'(?:raise|return) \w+\(\s*"(\w+)",')
    assert {code for source in sources for code in made.findall(source) if code in list(ErrorCode)} == set()


def test_the_client_takes_a_code_that_only_a_newer_server_knows() -> None:
    problem = Problem(409, "from_next_year", "Conflict", "Something new.")
    assert (problem.exit_code, problem.hint) == (Exit.REFUSED, "")
