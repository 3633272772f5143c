"""What a challenge file gets wrong beyond the shape of its fields: names that do not exist, metrics that cannot be.

Everything here reads the parsed YAML itself, whatever shape it has, so that these mistakes are found beside those
of single fields; what has the wrong shape is left to the models.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from pydantic import ValidationError

from evaluator.metrics import CaseMetric, DatasetMetric
from evaluator.metrics.registry import UnknownMetric, lookup, names
from evaluator.spec._kinds import Kind, UnknownKind, kind_of
from evaluator.spec._words import Mistake, guess, mapping, plain, shown, without_follow_ups, words


def wrong_names(content: Mapping[str, Any]) -> Iterator[Mistake]:
    """Boards of tasks that do not exist, primaries that are no metric, weights of no board, boards without weight."""
    tasks, boards, ranking = content.get("tasks"), content.get("boards"), mapping(content.get("ranking"))
    if not isinstance(boards, Mapping):
        return
    for name, board in ((name, mapping(board)) for name, board in boards.items()):
        task, primary = board.get("task"), board.get("primary")
        if isinstance(tasks, Mapping) and isinstance(task, str) and task not in tasks:
            yield Mistake(("boards", name, "task"), f"there is no task {shown(task)}" + guess(task, [*tasks]))
        metrics = mapping(board.get("metrics"))
        if isinstance(primary, str) and primary not in metrics:
            message = f"there is no metric {shown(primary)}" + guess(primary, [*metrics])
            yield Mistake(("boards", name, "primary"), message)
        if ranking.get("entry") == "best" and primary is None:
            yield Mistake(("boards", name, "primary"), "needed because ranking.entry is best")
    if isinstance(ranking.get("weights"), Mapping):
        yield from _wrong_weights(ranking["weights"], [str(name) for name in boards])


def wrong_attempts(content: Mapping[str, Any]) -> Iterator[Mistake]:
    """Attempts that are said to be counted for something else than each team, which nothing does."""
    for name, phase in mapping(content.get("phases")).items():
        per = mapping(mapping(phase).get("attempts")).get("per")
        if isinstance(per, list | tuple) and "team" not in per:
            message = "attempts are counted for each team: list team, and task and track if each has its own"
            yield Mistake(("phases", name, "attempts", "per"), message)


def _wrong_weights(weights: Mapping[str, Any], boards: list[str]) -> Iterator[Mistake]:
    lacking = [name for name in boards if name not in weights]
    for name in weights:
        if name not in boards:
            hint = guess(str(name), lacking) or f"; the boards are {', '.join(map(plain, boards))}"
            yield Mistake(("ranking", "weights", name), f"there is no board {shown(name)}" + hint)
    numbers = [weight for weight in weights.values() if isinstance(weight, int | float)]
    if len(numbers) == len(weights) and not any(numbers):
        yield Mistake(("ranking", "weights"), "the weights add up to 0")
    if lacking:
        message = f"every board needs one weight; there is none for {', '.join(map(plain, lacking))}"
        yield Mistake(("ranking", "weights"), message)


def wrong_metrics(content: Mapping[str, Any]) -> Iterator[Mistake]:
    """Metrics that do not exist, do not fit the outputs of their board's task, or have wrong parameters.

    Looks every metric up, so the modules of metrics that are not built in are imported.
    """
    tasks = mapping(content.get("tasks"))
    for name, board in ((name, mapping(board)) for name, board in mapping(content.get("boards")).items()):
        output = mapping(mapping(tasks.get(str(board.get("task")))).get("output"))
        kind = _kind(output)
        if kind is not None and kind.probed and board.get("probe") is None:
            yield Mistake(("boards", name), "a board of embeddings needs a probe")
        if kind is not None and not kind.probed and board.get("probe") is not None:
            message = f"a probe is for embeddings, and the task's output is {kind.name}"
            yield Mistake(("boards", name, "probe"), message)
        for key, metric in mapping(board.get("metrics")).items():
            if isinstance(metric, Mapping) and isinstance(metric.get("metric"), str):
                for mistake in _wrong_metric(metric, output, board):
                    yield Mistake(("boards", name, "metrics", key, *mistake.path), mistake.message)


def wrong_sites(content: Mapping[str, Any]) -> Iterator[Mistake]:
    """Boards that draw whole sites under a rule that ranks single cases, whose sites no ranking sees."""
    ranking = mapping(content.get("ranking"))
    if (method := ranking.get("method")) in ("rank_then_mean", "test_then_rank"):
        rule = f"method: {method}"
    elif ranking.get("per_case") == "median":
        rule = "per_case: median"
    else:
        return
    for name, board in mapping(content.get("boards")).items():
        metrics = mapping(mapping(board).get("metrics"))
        cases = [key for key, metric in metrics.items() if _of_cases(mapping(metric).get("metric"))]
        if cases and mapping(mapping(board).get("bootstrap")).get("unit") == "site":
            message = (
                f"{', '.join(map(plain, cases))}: whole sites cannot be drawn under ranking.{rule}, which ranks single "
                "cases, for no report says which site a case is from; take unit: subject, or method: mean_then_rank "
                "with per_case: mean"
            )
            yield Mistake(("boards", name, "bootstrap", "unit"), message)


def _of_cases(name: object) -> bool:
    try:
        return isinstance(name, str) and isinstance(lookup(name), CaseMetric)
    except UnknownMetric:  # said where it stands
        return False


def _kind(output: Mapping[str, Any]) -> Kind | None:
    """The kind that a task's output names; None where there is none, which is said where it stands."""
    try:
        return kind_of(str(output.get("kind")))
    except UnknownKind:
        return None


def _wrong_metric(
    metric: Mapping[str, Any], output: Mapping[str, Any], board: Mapping[str, Any]
) -> Iterator[Mistake]:
    name = metric["metric"]
    try:
        plugin = lookup(name)
    except UnknownMetric as error:
        yield Mistake(("metric",), _unknown(name, str(error), names()))
        return
    kind = _kind(output)
    if kind is not None and plugin.material not in kind.material:
        message = f"{name} is a metric of {plugin.material}, and the task's output is {kind.name}"
        yield Mistake(("metric",), message)
        return
    given = {key: value for key, value in metric.items() if key not in _OWN}
    fields = given if kind is None else kind.split(given)[1]
    endless = [key for key, value in fields.items() if not _finite(value)]
    if endless:
        yield from (Mistake((key,), "a number here is finite, neither .nan nor .inf") for key in endless)
        return
    try:
        parameters = plugin.parse(fields)
    except ValidationError as error:
        known = [*_OWN, *_chosen_by(kind), *plugin.parameters.model_fields]
        yield from (Mistake(fault["loc"], words(fault, known)) for fault in _told_once(error, known))
        return
    if kind is not None and kind.chooses is not None:
        yield from _wrong_choice(kind, plugin, given, output)
    if isinstance(plugin, CaseMetric):
        yield from _wrong_labels(parameters, output)
    else:
        yield from _wrong_scores(name, plugin, parameters, output, board)


def _chosen_by(kind: Kind | None) -> list[str]:
    """The fields that a kind adds to each metric."""
    return [] if kind is None or kind.chooses is None else [*kind.chooses.model_fields]


def _wrong_choice(
    kind: Kind, plugin: Any, given: Mapping[str, Any], output: Mapping[str, Any]
) -> Iterator[Mistake]:
    """What a metric is of, where the kind lets it choose; nothing while the output itself is wrong."""
    try:
        chosen = kind.chosen(given)
    except ValidationError as error:
        yield from (
            Mistake(fault["loc"], words(fault, _chosen_by(kind)))
            for fault in _told_once(error, _chosen_by(kind))
        )
        return
    try:
        model = kind.model.model_validate(output)
    except ValidationError:
        return
    misfit = kind.misfit and kind.misfit(model, chosen, plugin.material, getattr(plugin, "reads", None))
    if misfit:
        yield Mistake((misfit[0],), misfit[1])


def _finite(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_finite(part) for part in value.values())
    if isinstance(value, list | tuple):
        return all(_finite(part) for part in value)
    return not isinstance(value, float) or isfinite(value)


def _unknown(name: str, error: str, known: Sequence[str]) -> str:
    """A name that is close to a known one needs no list of all."""
    hint = guess(name, known)
    return f"there is no metric {shown(name)}{hint}" if hint else error


_OWN = ("metric", "title")


def _wrong_labels(parameters: Any, output: Mapping[str, Any]) -> Iterator[Mistake]:
    allowed, asked = output.get("labels"), getattr(parameters, "labels", None)
    if not isinstance(allowed, list | tuple) or not isinstance(asked, tuple):
        return
    for position, label in enumerate(asked):
        if label not in allowed:
            message = f"the task has no label {label!r}; its labels are {', '.join(map(plain, allowed))}"
            yield Mistake(("labels", position), message)
        elif label in asked[:position]:
            yield Mistake(("labels", position), f"label {label!r} stands twice; keep one of them")


def _wrong_scores(
    name: str, plugin: DatasetMetric, parameters: Any, output: Mapping[str, Any], board: Mapping[str, Any]
) -> Iterator[Mistake]:
    """What scoring would find out when it fills in the first missing output."""
    try:
        reads = plugin.compared(parameters)[0].reads
    except UnknownMetric as error:
        yield Mistake(("of",), _unknown(parameters.of, str(error), names()))
        return
    except ValidationError as error:
        yield Mistake(("of",), f"{parameters.of} needs parameters of its own: {error.errors()[0]['loc'][0]}")
        return
    except ValueError as error:
        yield Mistake(("of",), str(error))
        return
    kind = _kind(output)
    per_class = reads == "classes"
    if reads is not None and kind is not None and per_class is kind.one_number:
        what = "one score per class" if per_class else "one number per case"
        yield Mistake(("metric",), f"{name} reads {what}, and the task's output is {kind.name}")
    if kind is not None and kind.one_number and reads == "binary":
        yield from _out_of_range(name, output)
    if plugin.compares is not None and not board.get("groups"):
        yield Mistake(("metric",), f"{name} compares groups, and the board names none in groups")


def _out_of_range(name: str, output: Mapping[str, Any]) -> Iterator[Mistake]:
    """Labels are read as outputs are, so that the range of these has to hold both classes."""
    low, high = output.get("minimum"), output.get("maximum")
    for bound, label, excluded in (("minimum", 0, low), ("maximum", 1, high)):
        if isinstance(excluded, int | float) and (excluded > 0 if label == 0 else excluded < 1):
            yield Mistake(
                ("metric",),
                f"{name} needs labels 0 and 1, and the task's {bound} of {excluded:g} excludes {label}",
            )


def _told_once(error: ValidationError, known: Sequence[str]) -> list[Any]:
    return without_follow_ups(error.errors(), lambda path: known)
