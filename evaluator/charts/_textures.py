"""Fills that are told apart without colours: lines within a rectangle, drawn one by one, so nothing is referred to."""

from evaluator.charts._marks import number


def slanted(x: float, y: float, wide: float, high: float, step: float = 5) -> str:
    """Lines from the lower left to the upper right."""
    parts, offset = [], step / 2
    while offset < wide + high:
        x1, y1 = (x + offset, y) if offset <= wide else (x + wide, y + offset - wide)
        x2, y2 = (x, y + offset) if offset <= high else (x + offset - high, y + high)
        parts.append(f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}")
        offset += step
    return f'<path class="hatch" d="{"".join(parts)}"/>' if parts else ""


def level(x: float, y: float, wide: float, high: float, step: float = 4) -> str:
    """Lines from left to right."""
    parts, offset = [], step / 2
    while offset < high:
        parts.append(f"M{number(x)} {number(y + offset)}h{number(wide)}")
        offset += step
    return f'<path class="hatch" d="{"".join(parts)}"/>' if parts else ""
