"""Two metrics: one of single segmentations, one of whole datasets."""

from typing import Annotated

import numpy as np
from pydantic import Field

from evaluator.metrics import (
    CaseData,
    DatasetData,
    NotScored,
    Parameters,
    case_metric,
    dataset_metric,
)


class VolumeError(Parameters):
    """label: the structure that is measured; cap_ml: larger errors count as this one."""

    label: Annotated[int, Field(gt=0)] = 1
    cap_ml: Annotated[float, Field(gt=0, le=1000)] = 1000


def _cap(parameters: VolumeError) -> float:
    """A missing output is as wrong as an answer can be."""
    return parameters.cap_ml


@case_metric(direction="lower", minimum=0, maximum=1000, missing=_cap, parameters=VolumeError, unit="mL")
def volume_error(case: CaseData, parameters: VolumeError) -> float:
    """Absolute difference of two volumes in millilitres."""
    voxel_ml = float(np.prod(case.spacing_mm)) / 1000
    found = np.count_nonzero(case.prediction == parameters.label)
    true = np.count_nonzero(case.reference == parameters.label)
    return min(abs(found - true) * voxel_ml, parameters.cap_ml)


class Kappa(Parameters):
    """threshold: scores from here on say yes."""

    threshold: float = 0.5


def _opposite(label: float, classes: int, parameters: Kappa) -> list[float]:
    """A missing output is a wrong answer."""
    return [parameters.threshold - 1 if label == 1 else parameters.threshold]


@dataset_metric(
    direction="higher", minimum=-1, maximum=1, missing=_opposite, parameters=Kappa, reads="binary", seconds=60
)
def kappa(data: DatasetData, parameters: Kappa) -> float:
    """Cohen's kappa of yes and no against labels 1 and 0."""
    said, true = data.scores >= parameters.threshold, data.labels == 1
    agreement = float(np.mean(said == true))
    by_chance = float(said.mean() * true.mean() + (1 - said.mean()) * (1 - true.mean()))
    if by_chance == 1:
        raise NotScored("All cases are of one class, and so are all answers.")
    return (agreement - by_chance) / (1 - by_chance)
