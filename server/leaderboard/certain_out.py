"""How sure places are, as it is answered."""

from collections.abc import Mapping

from contract.certainty import CertaintyOut, DecisionOut, WarningOut
from evaluator.comparison import CertainPlaces


def certainty_out(certain: CertainPlaces, names: Mapping[str, str]) -> CertaintyOut:
    """How sure the places of a track are; `names`: of the teams, by their ids."""
    decision = None
    if certain.prizes is not None:
        named = certain.prizes.renamed(names)
        decision = DecisionOut.of(named, sentences=list(named.sentences()))
    return CertaintyOut(
        level=certain.level,
        winners=[names[place.team] for place in certain.overall if place.winner],
        weight_space={names[team]: share for team, share in certain.weight_space.items()},
        decision=decision,
        warnings=[
            WarningOut.of(
                warning,
                metrics=list(warning.metrics),
                teams=list(warning.teams),
                sentence=warning.sentence(),
            )
            for warning in (one.renamed(names) for one in certain.warnings)
        ],
        notes=list(certain.notes),
    )
