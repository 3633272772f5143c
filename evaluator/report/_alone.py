"""A plot as a file of its own, for papers: it brings its size, its colours and its title."""

import re
from html import escape

from evaluator.report._parts import Figure

_RULES = re.compile(r"^svg ([^{]*)\{([^}]*)\}", re.MULTILINE)
_COLOUR = re.compile(r"(--[a-z0-9]+): (#[0-9a-f]+);")
_WIDTH = 640


def alone(figure: Figure, styles: str) -> str:
    """The plot as an SVG document on white, with the light colours of `styles`, the page's style sheet."""
    colours = dict(reversed(_COLOUR.findall(styles)))  # the first of a name is that of light
    rules = "".join(f"{which.strip()}{{{what.strip()}}}" for which, what in _RULES.findall(_split(styles)))
    for name, colour in colours.items():
        rules = rules.replace(f"var({name})", colour)
    found = re.search(r'viewBox="0 0 (\d+) (\d+)"', figure.svg)
    width, height = (int(number) for number in found.groups()) if found else (_WIDTH, _WIDTH)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_WIDTH * height // width}" '
    style = (
        f"<style>svg{{background:#ffffff;font-family:sans-serif}}{rules}</style>"
        f"<metadata>{escape(figure.title)}. {escape(figure.note)}</metadata>"
    )
    head, tail = str(figure.svg).split(">", 1)
    return f"{head.replace('<svg ', opening, 1)}>{style}{tail}\n"


def _split(styles: str) -> str:
    """A rule a line: some lines of the style sheet hold two."""
    return styles.replace("} svg", "}\nsvg")
