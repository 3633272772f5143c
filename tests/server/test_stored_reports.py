"""What scoring makes is stored whole: later statistics come from the database, without labels or another scoring."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np
from sqlalchemy import select

from evaluator.comparison import Entrant as Compared
from evaluator.comparison import TrackComparison, compare_track, influence_test, read_entrants
from evaluator.resampling import percentile_interval
from evaluator.scoring import Report, score_board
from evaluator.spec import Challenge
from server.database import unit_of_work
from server.evaluations.reports import stored
from server.evaluations.result_models import BoardReport, Score
from tests.evaluator import datasets
from tests.evaluator.reports import segmentation, write
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.seeded import Season, play, report, settle


def real_reports(folder: Path) -> dict[str, Report]:
    """Of numbers with an exact interval, of embeddings and their fairness, and of maps with an undefined case."""
    sorted_out = datasets.numbers(folder / "numbers", "task1", [0, 1] * 8, [0.1, 0.9] * 8)
    frozen = datasets.embeddings(folder / "embeddings")
    found = {}
    for dataset, boards in ((sorted_out, ("task1",)), (frozen, ("task6", "task7"))):
        manifest = dataset.save()
        for board in boards:
            files = manifest, dataset.references, dataset.predictions
            found[board] = score_board(dataset.challenge, board, *files, cache=folder)
    undefined = [np.nan, *[0.5, 0.7] * 6, 0.6]
    return found | {"task2": segmentation("task2", undefined, undefined)}


def test_a_report_comes_back_as_it_was_made(lab: Lab, team: Entrant, tmp_path: Path) -> None:
    lab.dataset("task1", cases=2)
    made = real_reports(tmp_path)
    assert made["task1"].metrics["auroc"].interval_method == "exact"
    assert made["task6"].metrics["f1"].interval_method == "bca"
    assert made["task6"].extras.probe is not None
    assert made["task7"].extras.fairness
    assert [one.extras.bootstrap for one in made.values()] == [
        *(datasets.fomo26().boards[name].bootstrap for name in ("task1", "task6", "task7")),
        None,
    ]
    evaluation = UUID(settle(lab, team, made, task="task1"))
    with unit_of_work(lab.sessions) as session:
        found = stored(session, [evaluation])
        content = session.scalars(select(BoardReport.content).where(BoardReport.evaluation_id == evaluation))
        assert all("metrics" not in one and "per_case" not in one for one in content), "they are the scores'"
        sizes = {
            score.metric: len(score.replicates) + len(score.influence or b"")
            for score in session.scalars(select(Score).where(Score.evaluation_id == evaluation))
        }
    assert found == {evaluation: made}
    assert max(sizes.values()) <= 8 * (1000 + 48), "a number is eight bytes"


def test_a_rejected_report_is_kept_in_one_piece(lab: Lab, team: Entrant, tmp_path: Path) -> None:
    lab.dataset("task1", cases=2)
    why = "The embeddings of a run must all have the same width."
    rejected = report("task6", rejected=why, f1=real_reports(tmp_path)["task6"].metrics["f1"])
    evaluation = UUID(settle(lab, team, {"task6": rejected}, task="task1"))
    assert team.evaluation(str(evaluation))["status"] == "rejected"
    assert team.evaluation(str(evaluation))["scores"] == {}
    with unit_of_work(lab.sessions) as session:
        assert stored(session, [evaluation]) == {evaluation: {"task6": rejected}}


def from_files(season: Season, spec: Challenge, folder: Path) -> list[Compared]:
    """The season's entrants as the command line reads them."""
    write(folder, **season.reports)
    (folder / "teams.csv").write_text("team,is_baseline,eligible\nZero,1,\nCheats,1,\nInstitute,,0\n")
    return read_entrants(spec, folder)["open"]


def from_database(lab: Lab, season: Season) -> list[Compared]:
    """The season's entrants from what the platform keeps; labels are not even there."""
    assert not list(lab.settings.references.glob(f"{lab.slug}/**/*.csv"))
    with unit_of_work(lab.sessions) as session:
        found = stored(session, [UUID(one) for one in season.evaluations.values()])
    return [
        Compared(
            team,
            {board: found[UUID(season.evaluations[team, board])][board] for board in reports},
            baseline=team in ("Zero", "Cheats"),
            eligible=team != "Institute",
        )
        for team, reports in season.reports.items()
    ]


def test_every_later_statistic_comes_from_the_database_alone(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, fomo26: Challenge, tmp_path: Path
) -> None:
    season = play(lab, entrant, admin)

    def compared(entrants: list[Compared]) -> TrackComparison:
        by_name = sorted(entrants, key=lambda one: one.team)
        return compare_track(fomo26.ranking, fomo26.boards, by_name, level=0.9)

    ours, theirs = from_database(lab, season), from_files(season, fomo26, tmp_path)
    found = compared(ours)
    assert found == compared(theirs), "places of another level, tests of every pair, what-ifs"
    test = found.boards["task1"].tests["auroc"]
    assert test.test == "DeLong, t"
    pair = next(one for one in test.pairs if one.teams == ("Ada", "Cyd"))
    metrics = {one.team: one.reports["task1"].metrics["auroc"] for one in ours}
    influence = np.array([metrics[team].influence for team in pair.teams])
    values = np.array([metrics[team].value for team in pair.teams])
    assert influence_test(values, influence, distribution="delong")[0, 1] == pair.p
    file = season.reports["Ada"]["task1"].metrics["auroc"]
    drawn = [np.array(one.replicates, dtype=float) for one in (metrics["Ada"], file)]
    assert percentile_interval(drawn[0], 0.8) == percentile_interval(drawn[1], 0.8)
