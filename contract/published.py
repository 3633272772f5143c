"""What is sent and answered of results that were published elsewhere, and are shown here from their values alone."""

from datetime import datetime
from typing import Annotated

from pydantic import StrictBool

from contract.answers import Answer
from contract.bounds import Strict
from contract.challenges import MOST_OF_A_FILE, Why
from contract.texts import Line, Name, Prose

MOST_OF_RESULTS = 2**20
"""Characters of a file of results; FOMO25's open track has some 2,500."""
MOST_OF_A_SOURCE = 300


class ResultsIn(Strict):
    """A challenge file and the published results of one of its phases, both as their text.

    phase: None for the only one that has a leaderboard. source: where the results were published; everybody reads it.
    replace: whether other results that are imported give way, with `why` as the reason that everybody reads.
    """

    file: Annotated[str, Prose(MOST_OF_A_FILE)]
    overlay: Annotated[str, Prose(MOST_OF_A_FILE)] | None = None
    results: Annotated[str, Prose(MOST_OF_RESULTS)]
    phase: Name | None = None
    source: Annotated[str, Line(MOST_OF_A_SOURCE, least=1, strip=True)] | None = None
    replace: StrictBool = False
    why: Why | None = None


class ResultsImported(Answer):
    """What came of an import. changed: whether these results were not there before. digest: of all that was read."""

    challenge: str
    phase: str
    changed: bool
    digest: str
    teams: int
    values: int


class PublishedOut(Answer):
    """Says that a leaderboard is made of published values, and of no evaluation of this platform.

    source: where they were published, None where nobody said. digest: of the values, marks and published ranks.
    sentences: for people, what there is to know of these places, and why what is made of single cases is absent.
    """

    source: str | None
    imported_at: datetime
    digest: str
    sentences: list[str]
