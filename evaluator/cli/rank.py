"""`python -m evaluator rank`: scores in, places out."""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from evaluator.cli._certainty import print_comparison
from evaluator.cli._ending import ended
from evaluator.cli._files import refuse_no_directory, refuse_unwritable
from evaluator.cli._lacking import lacking
from evaluator.cli._standings import print_standings
from evaluator.comparison import (
    ComparisonFile,
    Entrant,
    PlaceWarning,
    RankFile,
    Rule,
    TrackComparison,
    awarded,
    challenger_csv,
    compare_track,
    read_entrants,
    rows_of,
    seed_warnings,
)
from evaluator.metrics.registry import UnknownMetric
from evaluator.ranking import (
    RankingError,
    ScorerFailed,
    Standings,
    explain,
    rank,
    read_rows,
    rule_digest,
)
from evaluator.spec import Challenge, SpecError, load_challenge
from evaluator.terminal import Console, harmless_json, say


def rank_command(
    challenge: Annotated[Path, typer.Option("--challenge", help="The challenge file.")],
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            exists=True,
            dir_okay=False,
            help="CSV: team,track,task,metric,value[,is_baseline,eligible]; task is the board.",
        ),
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            exists=True,
            file_okay=False,
            help="Reports of `score`, as TEAM/TRACK/BOARD.json: ranks with intervals and tests.",
        ),
    ] = None,
    explained: Annotated[
        bool, typer.Option("--explain", help="Print the ranking rule in sentences and its digest.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    comparison_file: Annotated[
        Path | None, typer.Option("--comparison", help="Also write the comparison of the reports as JSON.")
    ] = None,
    challenger: Annotated[
        Path | None, typer.Option("--challenger", help="Also write values per case for challengeR here.")
    ] = None,
    overlay: Annotated[Path | None, typer.Option("--overlay", help="A site's file merged over it.")] = None,
) -> None:
    """Rank scores within each track.

    Exit codes: 0 ranked, 1 the scores cannot be ranked, 2 the call or the challenge file is wrong, 3 in one of the
    reports a metric failed (score that entry again).
    """
    if (scores is None) == (reports is None) and not (explained and scores is None):
        raise typer.BadParameter("give either --scores or --reports (or --explain alone)")
    if reports is None and (comparison_file or challenger):
        raise typer.BadParameter("--comparison and --challenger need --reports")
    try:
        refuse_unwritable("--comparison", comparison_file)
        refuse_no_directory("--challenger", challenger)
        spec = load_challenge(challenge, overlay)
        result = _result(spec, scores, reports)
        _write(spec, result, comparison_file, challenger)
        _print(
            spec,
            result,
            explained=explained,
            ranked=scores is not None or reports is not None,
            as_json=as_json,
        )
        sys.stdout.flush()
    except (SpecError, UnknownMetric, OSError) as error:
        raise ended(error, 2) from None
    except RankingError as error:
        raise ended(error, 3 if isinstance(error, ScorerFailed) else 1) from None


@dataclass(frozen=True)
class _Result:
    """What there is to show; `comparison` is None where the scores came as a CSV file."""

    rule: Rule
    standings: Standings
    entrants: Mapping[str, Sequence[Entrant]]
    comparison: dict[str, TrackComparison] | None
    unscored: Mapping[str, Sequence[str]]  # by track, teams without any value
    lacking: Sequence[str]  # sentences about teams without some value

    def warnings(self, spec: Challenge) -> Mapping[str, Sequence[PlaceWarning]]:
        """By track, what takes meaning from the places; values alone tell only which boards one seed decides."""
        if self.comparison is not None:
            return {track: comparison.warnings for track, comparison in self.comparison.items()}
        return dict.fromkeys(self.standings.tracks, seed_warnings(spec.boards))

    def to_json(self) -> str:
        file = RankFile.model_validate(
            {"rule": self.rule, **self.standings.to_json(), "comparison": self.comparison}
        )
        return file.model_dump_json(indent=2, exclude=None if self.comparison else {"comparison"})


def _result(spec: Challenge, scores: Path | None, reports: Path | None) -> _Result:
    rule = Rule(
        digest=rule_digest(spec.ranking, spec.boards), sentences=tuple(explain(spec.ranking, spec.boards))
    )
    if reports is None:
        rows = [] if scores is None else read_rows(scores, spec.tracks, spec.boards)
        standings = rank(spec.ranking, spec.boards, rows)
        named = {(row.track, row.team) for row in rows}
        absent = tuple(lacking(spec.boards, rows, standings))
        return _Result(rule, standings, {}, None, _unscored(named, standings), absent)
    entrants = read_entrants(spec, reports)
    rows = [row for track, entered in entrants.items() for row in rows_of(track, entered)]
    standings = rank(spec.ranking, spec.boards, rows)
    comparison = {
        track: compare_track(spec.ranking, spec.boards, entrants[track])
        for track, ranked in standings.tracks.items()
        if any(standing.placement is not None for standing in ranked)
    }
    standings = Standings(
        {track: awarded(ranked, comparison.get(track)) for track, ranked in standings.tracks.items()}
    )
    named = {(track, entrant.team) for track, entered in entrants.items() for entrant in entered}
    absent = tuple(lacking(spec.boards, rows, standings))
    return _Result(rule, standings, entrants, comparison, _unscored(named, standings), absent)


def _unscored(named: Collection[tuple[str, str]], standings: Standings) -> dict[str, list[str]]:
    shown = {(track, standing.team) for track, ranked in standings.tracks.items() for standing in ranked}
    missing: dict[str, list[str]] = {}
    for track, team in sorted(set(named) - shown):
        missing.setdefault(track, []).append(team)
    return missing


def _write(spec: Challenge, result: _Result, comparison_file: Path | None, challenger: Path | None) -> None:
    if comparison_file is not None:
        file = ComparisonFile(rule=result.rule, tracks=result.comparison or {})
        comparison_file.write_text(file.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if challenger is None:
        return
    challenger.mkdir(parents=True, exist_ok=True)
    for track, entrants in result.entrants.items():
        for name, small_better in (("higher_is_better", False), ("smaller_is_better", True)):
            text = challenger_csv(spec, entrants, small_better=small_better)
            if text is not None:
                (challenger / f"{track}_{name}.csv").write_text(text, encoding="utf-8")


def _print(spec: Challenge, result: _Result, *, explained: bool, ranked: bool, as_json: bool) -> None:
    for track, teams in result.unscored.items():
        say(f"{track} track: not ranked, as nothing of theirs has a value: {', '.join(teams)}", err=True)
    for sentence in result.lacking:
        say(sentence, err=True)
    if ranked and spec.ranking.shares_within_winners and result.comparison is None:
        say(
            "Prizes are shared within the winner set, which values alone do not tell: give --reports.",
            err=True,
        )
    if as_json:
        say(harmless_json(result.to_json()))
        return
    if explained:
        say("\n".join([*result.rule.sentences, f"Rule {result.rule.digest}"]))
    if ranked:
        console = Console()
        print_standings(console, spec, result.standings, result.warnings(spec))
        for track, comparison in (result.comparison or {}).items():
            print_comparison(console, spec.boards, track, comparison)
