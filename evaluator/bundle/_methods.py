"""How the results came about, in sentences that a paper may build upon."""

from collections.abc import Iterator

from evaluator.bundle._manifest import Bundle
from evaluator.interval_methods import CALLED, REASONS
from evaluator.metrics.registry import UnknownMetric, lookup
from evaluator.ranking import explain, rule_digest


def methods(bundle: Bundle) -> str:
    """The text of METHODS.md."""
    manifest, spec = bundle.manifest, bundle.challenge
    return "\n".join(
        [
            f"# {manifest.title}, {manifest.phase_title}: methods",
            "",
            f"Challenge {manifest.challenge}, version {manifest.spec}. Scored and ranked by evaluator "
            f"{manifest.evaluator}.",
            "",
            "## Cases and boards",
            "",
            *_boards(bundle),
            "",
            "## Ranking",
            "",
            *(f"- {sentence}" for sentence in explain_or_say(bundle)),
            "",
            "## Intervals",
            "",
            *_intervals(bundle),
            "",
            "## Places, tests and what would change them",
            "",
            "Places that cannot be excluded hold for all teams of a track at once with 95 % confidence; they come from "
            "influence values, or from resamples where these are lacking. Pairs of teams are tested metric by metric "
            "with Holm's correction over all pairs of all metrics of a track; `comparison.json` names the test of each "
            "metric, its units and every p-value.",
            "",
            "## Phase",
            "",
            f"Opened: {manifest.opens or 'no date'}. Closed: {manifest.closes or 'no date'}. Attempts and limits: "
            f"`challenge.yaml`, phase {manifest.phase}. Tracks: {', '.join(spec.tracks)}.",
            "",
        ]
    )


def explain_or_say(bundle: Bundle) -> list[str]:
    """The rule in sentences with its digest; where a metric is not installed, that."""
    spec = bundle.challenge
    try:
        digest = rule_digest(spec.ranking, spec.boards)
        return [*explain(spec.ranking, spec.boards), f"Digest of the rule: {digest}"]
    except UnknownMetric as error:
        return [f"The rule cannot be put into words here: {error}"]


def _boards(bundle: Bundle) -> Iterator[str]:
    manifest, spec = bundle.manifest, bundle.challenge
    total = sum(spec.ranking.weights.values()) or 1
    for name, board in spec.boards.items():
        teams = len({entry.team for entry in manifest.entries if entry.board == name})
        share = spec.ranking.weights.get(name, 0) / total
        yield (
            f"- **{name}**, {board.title}: {manifest.cases.get(board.task, 0):,} cases (version "
            f"{manifest.datasets.get(board.task, 'none')}), {share:.1%} of the weight, entries of {teams} teams. "
            f"Metrics: {'; '.join(_metrics(bundle, name))}."
        )


def _metrics(bundle: Bundle, board: str) -> Iterator[str]:
    for key, metric in bundle.challenge.boards[board].metrics.items():
        code = bundle.manifest.metrics.get(board, {}).get(key)
        said = f"code {code[:19]}…" if code else "not installed when this was made"
        try:
            better = f"{lookup(metric.metric).direction} is better"
        except UnknownMetric:
            better = "not installed here"
        yield f"{metric.title or key} (`{metric.metric}`, {better}, {said})"


def _intervals(bundle: Bundle) -> Iterator[str]:
    entered = {entry.board for entry in bundle.manifest.entries}
    for name, board in bundle.challenge.boards.items():
        how = board.bootstrap
        if name not in entered:
            continue
        within = f" within {' and '.join(how.strata)}" if how.strata else ""
        yield f"- {name}: {how.level:.0%}, {how.resamples:,} resamples by {how.unit}{within}."
    used = {
        score.interval_method
        for entry in bundle.manifest.entries
        for score in bundle.report(entry).metrics.values()
        if score.interval_method is not None
    }
    for method in sorted(used):
        yield f"- {CALLED[method]}: {REASONS[method]}."
