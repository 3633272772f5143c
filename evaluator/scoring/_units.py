"""Influence values of the units that are drawn, from those of their cases."""

import numpy as np
import numpy.typing as npt

from evaluator.metrics.influence import by_unit

_Values = npt.NDArray[np.float64]
_Numbers = npt.NDArray[np.intp]


def unit_influence(influence: _Values, units: _Numbers, classes: _Numbers) -> _Values:
    """ψ of each unit, shape (units,), from that of each case: Σψ² is the variance, also where units differ in size.

    The sum over a unit's cases is too small by what the unit itself pulls the value towards it: its part w of the
    cases of a class. Divided by 1 − w it says what the value would be without the unit (the jackknife, which holds
    where one unit has most of the cases; Bell and McCaffrey, Survey Methodology 2002;28:169). Units of the same size
    have what independent cases have.

    Args:
        influence: shape (cases,), scaled as if cases were independent.
        units: the number of each case's unit.
        classes: of each case, within which the influence values add up to 0.
    """
    factors = np.ones(len(influence))
    for number in np.unique(classes):
        own = classes == number
        _, place, sizes = np.unique(units[own], return_inverse=True, return_counts=True)
        cases, count = int(own.sum()), len(sizes)
        if 1 < count < cases:
            usual = np.sqrt(count / (count - 1) * (cases - 1) / cases)
            factors[own] = usual * (1 - 1 / count) / (1 - sizes / cases)[place]
    return by_unit(influence * factors, units)


def fewest(units: _Numbers, classes: _Numbers) -> int:
    """How many units the smallest class has."""
    return min((len(np.unique(units[classes == number])) for number in np.unique(classes)), default=0)
