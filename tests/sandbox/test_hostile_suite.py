"""docs/hostile-suite.md says what the suite does: `python -m tests.sandbox.test_hostile_suite` writes its tables."""

from pathlib import Path

from tests.e2e.habits import HABITS
from tests.hostile.archives import ARCHIVES
from tests.hostile.configs import IMAGES
from tests.hostile.containers import CONTAINERS
from tests.hostile.json_outputs import JSON_OUTPUTS
from tests.hostile.outputs import OUTPUTS
from tests.hostile.sif_files import SIFS
from tests.hostile.table import Row, markdown
from tests.sandbox.test_run import FAILURES

PAGE = Path(__file__).parents[2] / "docs" / "hostile-suite.md"
START, END = (
    "<!-- tables: written by tests/sandbox/test_hostile_suite.py -->\n",
    "<!-- end of the tables -->\n",
)
TABLES: dict[str, tuple[str, list[Row]]] = {
    "Uploads": ("what is uploaded", [*ARCHIVES]),
    "SIF files": ("what is uploaded", [*SIFS]),
    "Images": ("what is wrong with the image", [*IMAGES]),
    "Containers": ("what the program does", [*CONTAINERS]),
    "Outputs": ("what the program leaves", [*OUTPUTS, *JSON_OUTPUTS]),
}


def tables() -> str:
    parts = [f"## {title}\n\n{markdown(head, rows)}" for title, (head, rows) in TABLES.items()]
    return START + "\n" + "\n".join(parts) + END


def test_the_page_holds_the_tables_of_the_suite() -> None:
    text = PAGE.read_text()
    assert text[text.index(START) : text.index(END) + len(END)] == tables()


def test_every_table_is_long_enough_and_names_each_row_once() -> None:
    assert all(len(TABLES[title][1]) >= 40 for title in ("Uploads", "Images", "Containers", "Outputs"))
    for _, rows in TABLES.values():
        assert len({row.name for row in rows}) == len(rows)
        assert all(row.defence and row.expected for row in rows)


def test_a_sandbox_and_a_whole_installation_are_asked_for_the_verdicts_of_the_table() -> None:
    elsewhere = FAILURES | {name: code for name, (_, code, _) in HABITS.items()}
    table = {row.name: row for row in CONTAINERS}
    shared = elsewhere.keys() & table.keys()
    assert len(shared) >= 20
    assert {name: elsewhere[name] for name in shared if not table[name].expects(elsewhere[name])} == {}


if __name__ == "__main__":
    old = PAGE.read_text()
    PAGE.write_text(old[: old.index(START)] + tables() + old[old.index(END) + len(END) :])
