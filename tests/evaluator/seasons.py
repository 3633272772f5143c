"""Reports of teams on all of FOMO26's boards but the probe's training, with intervals as scoring makes them."""

import numpy as np

from evaluator.calibration import Design, softmax_rows
from evaluator.metrics import DatasetData
from evaluator.scoring import Extras, GroupReport, ProbeReport, Report, bound_metrics
from evaluator.scoring._cases import mean_report
from evaluator.scoring._dataset import score_dataset
from evaluator.scoring._fairness import joined_bounds
from evaluator.scoring._intervals import metric_report
from evaluator.scoring._probe_runs import Tested


def one_seed(spec):
    """The challenge with boards of a probe whose one seed decides, and with all fairness ranked."""

    def changed(board):
        if board.probe is None:
            return board
        update = {
            "probe": board.probe.model_copy(update={"score": "seed"}),
            "bootstrap": board.bootstrap.model_copy(update={"sources": "test_cases"}),
        }
        return board.model_copy(update=update)

    return spec.model_copy(update={"boards": {name: changed(board) for name, board in spec.boards.items()}})


def scored(spec, board, data, design, *, dataset, extras=None, per_case=None):
    """The report of one board of these data: a DatasetData, or by metric the values of single cases."""
    bound = bound_metrics(spec.boards[board], spec.tasks[spec.boards[board].task].kind)
    labels = [0] * design.cases if per_case else design.labels.tolist()
    if not per_case and data.scores.ndim == 1 and not np.isin(data.labels, (0, 1)).all():
        labels = [0] * design.cases
    drawn = spec.boards[board].bootstrap
    sample = design.sample(
        np.random.default_rng(list(dataset.encode())),
        labels,
        resamples=drawn.resamples,
        level=drawn.level,
    )
    metrics = {}
    for key, metric in bound.items():
        if per_case:
            metrics[key] = mean_report(metric.plugin, per_case[key], sample)
        elif metric.plugin.compares is not None:
            metrics[key] = _compared(metric, data, sample)
        else:
            metrics[key] = score_dataset(metric, data, sample)
    kept = {key: tuple(values.tolist()) for key, values in (per_case or {}).items()}
    found = extras or Extras(dataset=dataset)
    return Report(
        board=board,
        cases=tuple(f"sub-{number}" for number in range(design.cases)),
        per_case=kept,
        metrics=metrics,
        extras=found.model_copy(update={"bootstrap": drawn, "draws": 2}),
    )


def _compared(metric, data, sample):
    plugin = metric.plugin
    classes = tuple(map(str, range(data.scores.shape[1])))
    run = Tested((), data.labels, list(data.scores), classes, data.groups, True)
    value = plugin.score(data, metric.parameters)
    drawn = plugin.replicates(data, sample.counts, metric.parameters)
    return metric_report(value, drawn, sample, joined_bounds(metric, [run], sample))


def season(spec, teams=4, cases=60, apart=0.1, seed=3, boards=None):
    """{team: {board: report}}: teams of falling skill that see the same cases of each task."""
    found = {f"team{number}": {} for number in range(teams)}
    for number, board in enumerate(spec.boards):
        if boards is not None and board not in boards:
            continue
        for place in range(teams):
            stream = np.random.default_rng([seed, number, place])
            report = _of(spec, board, cases, 1 - apart * place, stream)
            found[f"team{place}"][board] = report
    return found


def _of(spec, board, cases, skill, stream):
    kinds = {metric.metric for metric in spec.boards[board].metrics.values()}
    dataset = f"sha256:{spec.boards[board].task}"
    if "auroc" in kinds:
        design = Design(cases, share=0.4)
        scores = stream.normal(size=cases) + 1.2 * skill * design.labels
        return scored(spec, board, DatasetData(design.labels, scores), design, dataset=dataset)
    if "dice" in kinds:
        dsc = np.clip(stream.beta(9, 2, cases) - 0.05 * (1 - skill), 0, 1) * (stream.random(cases) > 0.1)
        return scored(spec, board, None, Design(cases), dataset=dataset, per_case={"dsc": dsc, "nsd": dsc**2})
    if "mae" in kinds:
        labels = stream.normal(60, 12, cases)
        errors = stream.normal(0, 6 / skill, cases)
        return scored(spec, board, DatasetData(labels, labels + errors), Design(cases), dataset=dataset)
    design = Design(cases, share=0.5)
    data = softmax_rows(stream, Design(cases, sizes=(cases // 2, cases - cases // 2)), 1.4 * skill)
    groups = {
        "sex": stream.choice(["f", "m"], cases).tolist(),
        "age": stream.choice(["a", "b", "c"], cases).tolist(),
    }
    data = DatasetData(data.labels, data.scores, groups if spec.boards[board].groups else {})
    extras = Extras(dataset=dataset, probe=_probe(cases), groups=_groups(spec, board, data))
    return scored(spec, board, data, design, dataset=dataset, extras=extras)


def _groups(spec, board, data):
    bound = bound_metrics(spec.boards[board], spec.tasks[spec.boards[board].task].kind)
    found = {}
    for variable, members in data.groups.items():
        found[variable] = {}
        for name in sorted(set(members)):
            mine = np.array(members) == name
            part = DatasetData(data.labels[mine], data.scores[mine])
            values = {}
            for key, metric in bound.items():
                plugin, parameters = metric.plugin.compared(metric.parameters)
                values[key] = plugin.score(part, parameters)
            found[variable][name] = GroupReport(
                size=int(mine.sum()), subjects=int(mine.sum()), enough=True, values=values, intervals={}
            )
    return found or None


def _probe(cases):
    return ProbeReport(
        classes=("a", "b"), width=8, train=80, val=20, test=cases, learning_rate=0.01, learning_rates=(0.01,),
        validation=(0.8,), seed=42, seeds=(42,), by_seed={}, reference={}, reference_penalty=None,
    )  # fmt: skip
