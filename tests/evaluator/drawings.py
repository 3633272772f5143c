"""Reading drawings back: what their marks say, from the marks alone."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np


def parsed(svg):
    """The drawing's root; fails where it is not well formed."""
    return ElementTree.fromstring(str(svg))  # noqa: S314 - made here


def classes(element):
    return element.get("class", "").split()


def axis(root):
    """What turns a position along the horizontal axis into a value, from the numbers below the axis."""
    ticks = [
        (float(element.get("x")), float(element.text))
        for element in root.iter("text")
        if "tick" in classes(element) and re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", element.text or "")
    ]
    slope, offset = np.polyfit(*zip(*ticks, strict=True), 1)
    return lambda x: slope * x + offset


def rows(root):
    """Every row of marks with a tooltip: the tooltip's text and the group of marks."""
    return [(group.find("title").text, group) for group in root.iter("g") if group.find("title") is not None]


def whisker(group, style="whisker"):
    """The ends of the interval in a row, None without one."""
    for path in group.iter("path"):
        if style in classes(path):
            found = re.match(r"M([\d.-]+) [\d.-]+H([\d.-]+)", path.get("d"))
            return float(found[1]), float(found[2])
    return None


def starts(path):
    """Where the marks of a path begin."""
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.-]+) ([\d.-]+)", path.get("d"))]
