"""Whether the parts of one report agree with each other: what scoring writes always does, an edited file may not."""

from collections.abc import Iterator

from evaluator.scoring import MetricReport, ProbeReport, Report


def disagreement(report: Report) -> str | None:
    """The first field of a report that does not fit the others, and how, as `field: sentence`; None where all fit.

    A rejected report has no figures that could disagree.
    """
    if report.rejected is not None:
        return None
    return next(_disagreements(report), None)


def _disagreements(report: Report) -> Iterator[str]:
    cases, probe = len(report.cases), report.extras.probe
    valued = [key for key, metric in report.metrics.items() if metric.value is not None]
    if valued and not cases:
        yield f"cases: there are none, and {valued[0]} has a value"
    for key, values in report.per_case.items():
        if len(values) != cases:
            yield f"per_case.{key}: it has {len(values)} values for {cases} cases"
    if probe is not None:
        if not 0 < probe.test <= cases:
            yield f"extras.probe.test: {probe.test} test cases of {cases} cases"
        yield from _of_seeds(report, probe, valued)
    yield from _of_influence(report)
    yield from _of_groups(report, cases if probe is None else probe.test)


def _of_seeds(report: Report, probe: ProbeReport, valued: list[str]) -> Iterator[str]:
    for key, found in probe.by_seed.items():
        if len(found.values) != len(probe.seeds):
            place = f"extras.probe.by_seed.{key}.values"
            yield f"{place}: it has {len(found.values)} values for {len(probe.seeds)} seeds"
    drawn = report.extras.bootstrap is not None and report.extras.bootstrap.sources == "test_cases_and_seeds"
    lacking = [key for key in valued if drawn and key not in probe.by_seed]
    if lacking:
        yield f"extras.probe.by_seed: {lacking[0]} is missing, and seeds were drawn with the cases"


def _of_influence(report: Report) -> Iterator[str]:
    first: tuple[str, int] | None = None
    for key, metric in report.metrics.items():
        if metric.influence is None:
            continue
        units, place = len(metric.influence), f"metrics.{key}.influence"
        if units > len(report.cases):
            yield f"{place}: it has {units} values for {len(report.cases)} cases"
        if units < 2 and _varies(metric):
            yield f"{place}: it has {units} values, and {key} varies in resamples, which takes two subjects"
        first = first or (key, units)
        if units != first[1]:
            yield f"{place}: it has {units} values, and {first[0]} has {first[1]}"


def _varies(metric: MetricReport) -> bool:
    return metric.low is not None or len(set(metric.replicates)) > 1


def _of_groups(report: Report, cases: int) -> Iterator[str]:
    for variable, members in (report.extras.groups or {}).items():
        for name, group in members.items():
            place = f"extras.groups.{variable}.{name}"
            if not 0 < group.size <= cases:
                yield f"{place}.size: {group.size} of {cases} test cases"
            if not 0 < group.subjects <= group.size:
                yield f"{place}.subjects: {group.subjects} subjects of {group.size} cases"
