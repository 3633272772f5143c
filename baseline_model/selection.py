"""Which linear head a task gets: chosen by nested cross-validation with scikit-learn, which the image does without.

The inner cross-validation chooses what the head sees and how strong its penalty is; the outer one
estimates how good a head that is chosen so is, on cases that had no part in the choice. Sessions of one subject are
never on both sides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error, roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from baseline_model.faults import TrainingError
from baseline_model.heads import CLAMP, LinearHead

Rows = NDArray[np.float64]
PENALTIES = np.logspace(0, 5, 6)


@dataclass(frozen=True)
class LabelledRows:
    """The labelled cases of a task: per part of the features [n, d] of it, `wanted` [n] and whose case each is."""

    parts: Mapping[str, Rows]
    wanted: Rows
    subjects: Sequence[str]
    classes: bool

    @property
    def whole(self) -> Rows:
        """All parts side by side, [n, d]."""
        return np.hstack(list(self.parts.values()))


@dataclass(frozen=True)
class ChosenHead:
    """A head, and what is known of it from the labelled cases alone.

    `estimates` has a value per outer cross-validation: the AUROC, or the mean absolute error.
    """

    head: LinearHead
    chosen: str
    metric: str
    estimates: tuple[float, ...]

    @property
    def note(self) -> str:
        """One line for people, kept in the checkpoint."""
        values = ", ".join(f"{value:.3g}" for value in self.estimates)
        return f"{self.chosen}; {self.metric} in nested cross-validation {values}"


def choose(cases: LabelledRows, *, folds: int, repeats: int, seed: int) -> ChosenHead:
    """The head for `cases`, fitted to all of them, with an estimate from each of `repeats` outer cross-validations.

    Raises:
        TrainingError: there are too few cases, or too few of a class.
    """
    folds = _affordable(cases, folds)
    search = _search(cases, folds, seed)
    estimates = tuple(_estimate(search, cases, folds, seed + 1 + repeat) for repeat in range(repeats))
    search.fit(cases.whole, cases.wanted, groups=cases.subjects)
    metric = "AUROC" if cases.classes else "mean absolute error"
    return ChosenHead(
        _exported(search.best_estimator_, cases), _said(search.best_estimator_, cases), metric, estimates
    )


def _affordable(cases: LabelledRows, folds: int) -> int:
    """As many folds as leave each training side of the inner division a subject of every class."""
    return min(folds, fewest_subjects(cases.wanted, cases.subjects, classes=cases.classes) // 2)


def fewest_subjects(wanted: Rows, subjects: Sequence[str], *, classes: bool) -> int:
    """How many subjects the rarest class has, or where there are no classes how many there are.

    Raises:
        TrainingError: there are too few for a nested cross-validation, or there are not two classes.
    """
    owners = np.array(subjects)
    labels = np.unique(wanted) if classes else np.array([np.nan])
    if classes and len(labels) != 2:
        raise TrainingError(
            f"the labels are {', '.join(f'{one:g}' for one in labels)}; a head needs both 0 and 1"
        )
    rarest = min(len(set(owners[wanted == one] if classes else owners)) for one in labels)
    if rarest < 4:
        whose = "subjects of the rarest class" if classes else "subjects"
        raise TrainingError(f"{rarest} {whose} are too few for a cross-validation; it takes 4")
    return rarest


def _divided(cases: LabelledRows, folds: int, seed: int) -> Any:
    kind = StratifiedGroupKFold if cases.classes else GroupKFold
    return kind(folds, shuffle=True, random_state=seed)


def _search(cases: LabelledRows, folds: int, seed: int) -> GridSearchCV:
    steps = [
        ("columns", FunctionTransformer(np.take)),
        ("scale", StandardScaler()),
        ("clamp", FunctionTransformer(np.clip, kw_args={"a_min": -CLAMP, "a_max": CLAMP})),
        ("head", Ridge()),
    ]
    scoring = "neg_log_loss" if cases.classes else "neg_mean_absolute_error"
    inner = _divided(cases, folds, seed)
    return GridSearchCV(Pipeline(steps), list(_candidates(cases)), scoring=scoring, cv=inner)


def _candidates(cases: LabelledRows) -> Iterator[dict[str, list[Any]]]:
    seen = {"columns__kw_args": [{"indices": columns, "axis": 1} for columns in _choices(cases)]}
    if cases.classes:
        weak = list(1 / PENALTIES)
        yield {**seen, "head": [LogisticRegression(max_iter=1000)], "head__C": weak}
    else:
        yield {**seen, "head": [Ridge()], "head__alpha": list(PENALTIES)}


def _choices(cases: LabelledRows) -> Iterator[list[int]]:
    """The columns of every combination of parts."""
    names, places = list(cases.parts), _places(cases)
    for size in range(1, len(names) + 1):
        for some in combinations(names, size):
            yield [column for name in some for column in places[name]]


def _places(cases: LabelledRows) -> dict[str, range]:
    places: dict[str, range] = {}
    start = 0
    for name, rows in cases.parts.items():
        places[name] = range(start, start + rows.shape[1])
        start += rows.shape[1]
    return places


def _estimate(search: GridSearchCV, cases: LabelledRows, folds: int, seed: int) -> float:
    """One outer cross-validation: the mean over its folds."""
    whole, owners, values = cases.whole, np.array(cases.subjects), []
    for train, test in _divided(cases, folds, seed).split(whole, cases.wanted, owners):
        fitted = clone(search).fit(whole[train], cases.wanted[train], groups=owners[train])
        if cases.classes:
            values.append(roc_auc_score(cases.wanted[test], fitted.decision_function(whole[test])))
        else:
            values.append(mean_absolute_error(cases.wanted[test], fitted.predict(whole[test])))
    return float(np.mean(values))


def _exported(pipeline: Pipeline, cases: LabelledRows) -> LinearHead:
    """The fitted pipeline as tensors over all columns; those that it does not see weigh nothing."""
    width, columns = cases.whole.shape[1], pipeline.named_steps["columns"].kw_args["indices"]
    mean, scale, weight = np.zeros(width), np.ones(width), np.zeros(width)
    mean[columns] = pipeline.named_steps["scale"].mean_
    scale[columns] = pipeline.named_steps["scale"].scale_
    weight[columns] = np.ravel(pipeline.named_steps["head"].coef_)
    bias = float(np.ravel(pipeline.named_steps["head"].intercept_)[0])
    tensors = [torch.tensor(part, dtype=torch.float32) for part in (mean, scale, weight, bias)]
    return LinearHead(tensors[0], tensors[1], tensors[2], tensors[3])


def _said(pipeline: Pipeline, cases: LabelledRows) -> str:
    """What was chosen, for people: "ridge with penalty 100 on tissue and trunk"."""
    columns, head = set(pipeline.named_steps["columns"].kw_args["indices"]), pipeline.named_steps["head"]
    parts = " and ".join(name for name, place in _places(cases).items() if place.start in columns)
    if isinstance(head, Ridge):
        return f"ridge with penalty {head.alpha:.3g} on {parts}"
    return f"logistic regression with penalty {1 / head.C:.3g} on {parts}"
