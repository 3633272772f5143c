"""The pieces of the page: skeleton, tables, figures."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from evaluator.report import _svg
from evaluator.spec import Board

Cell = str | tuple[str, str]
"""The HTML of a cell, or that and its class."""


def title_of(board: Board, key: str) -> str:
    """A metric's name for people."""
    return board.metrics[key].title or key


def page(title: str, body: str) -> str:
    """A whole document that loads nothing: the style sheet and every plot are inside."""
    style = files("evaluator.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body>{body}</body></html>\n"
    )


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    caption: str = "",
    kind: str = "",
    styles: Sequence[str] = (),
) -> str:
    """A table whose first column names its rows; it scrolls alone where it is wider than the page.

    Args:
        head: the HTML of the first line.
        rows: the cells of the others.
        caption: what the table shows, plain text.
        kind: class of the table.
        styles: class of each row, if any.
    """
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    first = "".join(
        f'<th scope="col"{_class("name" if not number else "")}>{one}</th>' for number, one in enumerate(head)
    )
    lines = [
        f"<tr{_class(style)}>{''.join(_cell(cell, number) for number, cell in enumerate(row))}</tr>"
        for row, style in zip(rows, styles or [""] * len(rows), strict=True)
    ]
    body = "\n".join(lines)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption or "table")}">'
        f"<table{_class(kind)}>{said}<thead><tr>{first}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def _cell(cell: Cell, number: int) -> str:
    content, style = (cell, "") if isinstance(cell, str) else cell
    if number == 0:
        return f'<th scope="row" class="name">{content}</th>'
    return f"<td{_class(style)}>{content}</td>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def figure(svg: str, caption: str, note: str = "") -> str:
    """A plot with its caption: a bold title and a note."""
    said = f"<b>{escape(caption)}</b>" + (f" {escape(note)}" if note else "")
    return f"<figure>{svg}<figcaption>{said}</figcaption></figure>\n"


def legend(groups: Sequence[str]) -> str:
    """The marks of a group plot with their names."""
    parts = []
    for number, group in enumerate(groups):
        mark = _svg.shape(_svg.SHAPES[number % len(_svg.SHAPES)], 6, 6, f"group{number % 6}")
        parts.append(f'<span><svg viewBox="0 0 12 12" aria-hidden="true">{mark}</svg> {escape(group)}</span>')
    return f'<div class="legend quiet">{"".join(parts)}</div>'
