"""Lists of `proctor-admin` at any width, in a terminal and in a pipe."""

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from evaluator.terminal import harmless
from worker.admin.main import collect
from worker.admin.tables import Listing, counted

BOXES = set("╭╮╰╯│─┏┓┗┛┃━└┘┌┐├┤")


def printed(listing: Listing, width: int) -> list[str]:
    screen = io.StringIO()
    Console(width=width, file=screen).print(listing)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def listing() -> Listing:
    table = Listing(("id", "team", "evaluation", "cases"), frozenset(("cases",)))
    table.add("0" * 36, "Blue Lab", "", "1,234")
    table.add("1" * 36, "A team with [brackets] and a name of some length", "", "2")
    return table


def test_a_column_that_is_empty_in_every_row_takes_no_room() -> None:
    head, *rows = printed(listing(), 130)
    assert head.split() == ["id", "team", "cases"]
    assert [row.split()[-1] for row in rows] == ["1,234", "2"]
    assert max(map(len, [head, *rows])) < 100


@pytest.mark.parametrize("width", [40, 60, 80])
def test_where_rows_do_not_fit_each_is_a_paragraph_and_nothing_is_cut(width: int) -> None:
    lines = printed(listing(), width)
    text = " ".join(" ".join(lines).split())
    assert "0" * 36 in lines
    assert "A team with [brackets] and a name of some length" in text
    assert "…" not in text
    assert "evaluation" not in text
    assert max(map(len, lines)) <= width


def test_ids_are_as_short_as_they_differ_before_the_table_is_given_up() -> None:
    table = Listing(("evaluation", "team", "team id"), whole=frozenset({"team id"}))
    own = "01a228be-8ed2-74f9-b8aa-4d8657ad719a"
    for id_ in ("01a228be-8ed2-74f9-b8aa-4d8657ad719a", "01a228be-8ed3-74f9-b8aa-4d8657ad719a"):
        table.add(id_, "Blue Lab", own)
    assert all(own in line for line in printed(table, 100)[1:2])
    assert [line.split()[0] for line in printed(table, 80)] == [
        "evaluation",
        "01a228be-8ed2",
        "01a228be-8ed3",
    ]
    assert printed(table, 80)[1].endswith(own)
    assert printed(table, 50)[0] == own, "and whole where each is a paragraph"


def test_prose_wraps_before_the_table_is_given_up() -> None:
    table = Listing(("slot", "unfit because"), prose=frozenset(("unfit because",)))
    table.add("run-1", "many words " * 20)
    head, *lines = printed(table, 60)
    assert head.split() == ["slot", "unfit", "because"]
    assert len(lines) > 3


def test_one_of_something_is_no_plural() -> None:
    assert [counted(1, "core"), counted(1.5, "core"), counted(0, "case")] == [
        "1 core",
        "1.5 cores",
        "0 cases",
    ]


@pytest.mark.parametrize("words", [["--help"], ["slots", "--help"], ["nonsense"], ["queue", "--nonsense"]])
def test_a_pipe_gets_no_boxes(words: list[str]) -> None:
    said = CliRunner().invoke(collect(), words).output
    assert said.strip()
    assert not set(said) & BOXES


def test_a_long_word_of_prose_is_folded_and_heads_that_say_nothing_take_no_line() -> None:
    table = Listing(("", " "), prose=frozenset((" ",)))
    table.add("image", "sha256:" + "0c99" * 16)
    lines = printed(table, 60)
    assert "".join("".join(lines).split()) == "imagesha256:" + "0c99" * 16


def test_what_others_wrote_commands_no_terminal() -> None:
    table = Listing(("team", "message"))
    table.add("\x1b[2JBlue", "a\rb\x9b31m")
    assert not set("".join(printed(table, 80))) & set("\x1b\r\x9b")
    assert not set("".join(printed(table, 10))) & set("\x1b\r\x9b")
    assert harmless("two\nlines\tand \x1b]0;x\x07") == "two\nlines\tand \ufffd]0;x\ufffd"


def test_a_listing_without_rows_is_its_title() -> None:
    assert printed(Listing(("id", "team"), title="Teams"), 80) == ["Teams"]
