"""Rules of a made challenge for each kind of output, for whoever has none yet."""

from pathlib import Path
from typing import NamedTuple

from client.errors import WrongUsage
from client.rules import ChallengeRules
from evaluator.spec import guess, read_challenge

TEMPLATES = Path(__file__).parent / "templates"


class _Made(NamedTuple):
    title: str
    output: str
    scoring: str


_KINDS = {
    "number": _Made(
        "A number for each image",
        "{kind: number, minimum: 0, maximum: 1}",
        "metrics: {auroc: {metric: auroc}}",
    ),
    "classes": _Made(
        "A score for each class",
        "{kind: scores, classes: [first, second, third]}",
        "metrics: {f1: {metric: macro_f1}}",
    ),
    "segmentation": _Made(
        "A label for each voxel",
        "{kind: segmentation, labels: [0, 1]}",
        "metrics: {dice: {metric: dice, labels: [1], both_empty: 1}}",
    ),
    "embedding": _Made(
        "A vector for each image",
        "{kind: embedding}",
        "probe: {}\n    metrics: {f1: {metric: macro_f1}}",
    ),
    "points": _Made(
        "Points in each image",
        "{kind: points, unit: mm, confidence: true, most: 500, margin: 0}",
        "metrics: {froc: {metric: froc, radius_mm: 3}}",
    ),
    "table": _Made(
        "Several values for each image",
        "{kind: table, columns: [{name: volume, unit: mL, minimum: 0}, "
        "{name: grade, type: category, values: [low, high]}]}",
        "metrics: {error: {metric: mae, column: volume, missing: 50}}",
    ),
}
KINDS = tuple(_KINDS)
_ALSO = {"scores": "classes"}
"""As challenge files call it."""


def made_rules(kind: str) -> ChallengeRules:
    """Rules of a challenge with the one task `task`, whose outputs are of this kind.

    Raises:
        WrongUsage: there is no such kind.
    """
    made = _KINDS.get(_ALSO.get(kind, kind))
    if made is None:
        raise WrongUsage(f"There is no kind {kind!r}{guess(kind, KINDS)}.", f"Kinds: {', '.join(KINDS)}.")
    text = (TEMPLATES / "kinds.yaml").read_text(encoding="utf-8").format(**made._asdict())
    return ChallengeRules(read_challenge(text), text)
