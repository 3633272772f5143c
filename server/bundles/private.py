"""What of reports leaves the installation: cases by pseudonyms, and nothing that tells single persons of a group."""

import hmac
from collections.abc import Callable, Mapping

from contract.ids import ChallengeId
from evaluator.scoring import FairnessReport, GroupReport, Report
from server.settings import Settings

FEWEST = 5
"""Subjects of a group whose values are told; those of fewer are all but values of single persons."""
_DIGITS = 12


Naming = Callable[[str], str]
"""What a case is called in a bundle, by its name."""


def pseudonyms(settings: Settings, challenge: ChallengeId, phase: str, dataset: str) -> Naming:
    """What the cases of a version are called, by its digest: the same in every bundle, and nowhere else.

    Who does not have the installation's secret key cannot tell which case it is, nor whether two versions share one.
    """
    secret = settings.secret_key.get_secret_value().encode()
    key = hmac.digest(secret, f"proctor bundle\0{challenge}\0{phase}\0{dataset}".encode(), "sha256")
    return lambda name: f"case-{hmac.digest(key, name.encode(), 'sha256').hex()[:_DIGITS]}"


def published(report: Report, called: Naming) -> Report:
    """The report with cases as they are `called`, without groups of few subjects and the voxel sizes of cases."""
    groups = report.extras.groups
    told = {
        "other_affine": tuple(map(called, report.extras.other_affine)),
        "spacing_mm": None,
        "groups": None if groups is None else {name: _large(found) for name, found in groups.items()},
        "fairness": None
        if report.extras.fairness is None
        else {key: _of_large(found, groups or {}) for key, found in report.extras.fairness.items()},
    }
    return report.model_copy(
        update={
            "cases": tuple(map(called, report.cases)),
            "extras": report.extras.model_copy(update=told),
        }
    )


def _large(groups: Mapping[str, GroupReport]) -> dict[str, GroupReport]:
    return {name: group for name, group in groups.items() if group.subjects >= FEWEST}


def _of_large(report: FairnessReport, groups: Mapping[str, Mapping[str, GroupReport]]) -> FairnessReport:
    """Which group has the worst value is left out where it has few subjects."""
    variables = {
        name: variable
        if variable.worst in _large(groups.get(name, {}))
        else variable.model_copy(update={"worst": None, "worst_value": None})
        for name, variable in report.variables.items()
    }
    return report.model_copy(update={"variables": variables})
