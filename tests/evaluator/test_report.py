import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluator import charts
from evaluator.cli import app
from evaluator.comparison import Entrant, compare_track, read_entrants
from evaluator.interval_methods import REASONS
from evaluator.ranking import RankingError, ScorerFailed, read_rows
from evaluator.report import render
from evaluator.scoring import Extras, MetricReport, Report, score_board
from evaluator.spec import Bootstrap, load_challenge, parse_challenge
from tests.evaluator import reports as made
from tests.evaluator.datasets import CHALLENGES, SMALL_PROBE, Dataset, embeddings, fomo26, numbers

FOMO26 = CHALLENGES / "fomo26" / "challenge.yaml"
SKILL = {"ada": 3.0, "bell & co": 2.7, "<curie>": 0.8, "base": 0.2}


class Page(HTMLParser):
    """Checks that elements close in order, and keeps what a test asks about."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.words, self.tags = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] != "style":
            self.words.append(text)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Reports of four entries: numbers, segmentations, and for one of them embeddings."""
    root = tmp_path_factory.mktemp("reports")
    labels = np.random.default_rng(1).integers(0, 2, 60)
    cube = np.zeros((8, 8, 8))
    cube[2:6, 2:6, 2:6] = 1
    for number, (team, skill) in enumerate(SKILL.items()):
        stream = np.random.default_rng(number)
        scores = 1 / (1 + np.exp(-(skill * (labels - 0.5) + stream.normal(0, 1, 60))))
        found = [None if team == "<curie>" and one == 3 else scores[one] for one in range(60)]
        dataset = numbers(root / f"{number}-1", "task1", labels.tolist(), found)
        _save(root, team, "task1", dataset)
        if team != "base":
            dataset = Dataset(root / f"{number}-2", fomo26(), "task2")
            for case in range(8):
                dataset.reference_map(f"c{case}", cube)
                dataset.predict(f"c{case}", np.roll(cube, int(stream.integers(0, 4 - int(skill))), 0))
            _save(root, team, "task2", dataset)
    probe = embeddings(root / "probe")
    for board in ("task6", "task7"):
        _save(root, "ada", board, probe)
    (root / "out" / "teams.csv").write_text("team,is_baseline\nbase,1\n")
    return root / "out"


def _save(root, team, board, dataset):
    path = root / "out" / team / "open" / f"{board}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    report = score_board(dataset.challenge, board, dataset.save(), dataset.references, dataset.predictions)
    path.write_text(report.model_dump_json())


@pytest.fixture(scope="module")
def page(reports):
    return render(fomo26(), read_entrants(fomo26(), reports))


def test_the_page_is_whole_and_loads_nothing(page):
    found = Page(page)
    assert page.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    for _, name, value in found.attributes:
        assert name not in ("src", "srcset", "action")
        assert name != "href" or value.startswith("#")
    assert not re.search(r"url\(|@import|https?:", page)


def test_every_link_of_the_page_leads_somewhere(page):
    attributes = Page(page).attributes
    named = [value for _, name, value in attributes if name == "id"]
    assert len(named) == len(set(named))
    assert {value[1:] for _, name, value in attributes if name == "href"} <= set(named)


def test_every_plot_is_described_in_words(page):
    plots = re.findall(r'<svg [^>]*role="img".*?</svg>', page, re.DOTALL)
    assert len(plots) > 8
    for plot in plots:
        assert re.search(r'aria-label="[^"]+"', plot)
        assert re.search(r"<title>.+</title><desc>.+</desc>", plot)


def test_names_of_teams_are_text_and_never_markup(page):
    assert "<curie>" not in page
    assert "&lt;curie&gt;" in page
    assert "<curie>" in Page(page).text


def test_what_a_challenge_file_says_is_text_and_never_markup(reports):
    content, bold = fomo26().model_dump(mode="json"), "<b>&</b>"
    content["title"] = content["description"] = bold
    content["boards"]["task1"] |= {"title": bold}
    content["boards"]["task1"]["metrics"]["auroc"] |= {"title": bold}
    spec = parse_challenge(content)
    page = render(spec, read_entrants(spec, reports))
    assert bold not in page
    assert page.count("&lt;b&gt;&amp;&lt;/b&gt;") > 8


def test_the_page_says_values_places_and_what_is_missing(page, reports):
    text = Page(page).text
    auroc = json.loads((reports / "ada" / "open" / "task1.json").read_text())["metrics"]["auroc"]
    interval = f"{auroc['low']:#.4g} to {auroc['high']:#.4g}, {auroc['interval_method']}"
    assert f"ada {auroc['value']:#.4g} {interval} ‡ 0" in text
    assert REASONS[auroc["interval_method"]] in text
    assert auroc["interval_note"] in text
    assert re.search(r"&lt;curie&gt;</th><td>[\d.]+<small>[^<]+</small></td><td>1</td>", page)
    assert "base (baseline) – – – – –" in text
    for words in (
        "First in … of 1,000",
        "Significance map: AUROC",
        "DSC of single cases",
        "Convex fit",
        "macro OvR AUROC by sex",
    ):
        assert words in text


def test_the_page_shows_the_comparison_that_rank_prints(page, reports):
    spec = fomo26()
    found = compare_track(spec.ranking, spec.boards, read_entrants(spec, reports)["open"])
    text, stable = Page(page).text, found.stability
    assert f"{found.replicates:,} {stable.mean:.2f} {stable.low:.2f} to {stable.high:.2f}" in text
    assert f"in {stable.same_winner * found.replicates:,.0f}" in text
    for one in found.overall:
        sure, alone, spread = (
            str(low) if low == high else f"{low} to {high}"
            for low, high in (
                (one.low, one.high),
                (one.alone_low, one.alone_high),
                (one.range_low, one.range_high),
            )
        )
        first, top3 = (f"{share * found.replicates:,.0f}" for share in (one.first, one.top3))
        assert (
            f"{one.team} {one.place} {sure} {alone} {one.among_three} {one.group} {spread} {first} {top3}"
            in text
        )
    for note in found.notes:
        assert note in text
    tested = [one for board in found.boards.values() for one in board.tests.values() if one.test]
    assert len(tested) == page.count("Significance map: ")
    for pair in (pair for tests in tested for pair in tests.pairs if pair.low is not None):
        shown = (f"{one.effect:+#.3g} {one.low:#.3g} to {one.high:#.3g}" for one in (pair, pair.turned()))
        assert any(ends in text for ends in shown)
        if pair.superiority is not None:
            assert any(f" {share:.0%} " in text for share in (pair.superiority, 1 - pair.superiority))
    for lead in found.leads:
        if lead.teams[0] == found.overall[0].team and lead.low is not None:
            assert f"{lead.lead:.2f} {lead.low:.2f} to {lead.high:.2f}" in text
    assert not re.search(r"\d\. base<", page)
    for variant in found.sensitivity:
        assert variant.change in text
        for one in found.overall:
            moved = f"{one.team} {one.place} → {variant.places[one.team]}"
            assert variant.places[one.team] == one.place or moved in text


def test_values_of_fomo25_alone_name_who_overtakes_whom_without_a_third():
    spec = load_challenge(CHALLENGES / "fomo25" / "challenge.yaml")
    boards = {}
    for row in read_rows(CHALLENGES.parent / "tests" / "data" / "fomo25_open_track.csv", spec.tracks):
        boards.setdefault(row.team, {}).setdefault(row.board, {})[row.metric] = MetricReport(value=row.value)
    entrants = [
        Entrant(team, {name: _values_only(name, metrics) for name, metrics in found.items()})
        for team, found in boards.items()
    ]
    page = render(spec, {"open": entrants})
    text = Page(page).text
    assert "TeamTigerAtFOMO2025 FOMO HSEE would be ahead of MIPLAB, but is behind" in text
    assert "No places can be excluded" in text
    assert "No tests between teams in" in text
    assert "Stability" not in text
    assert render(spec, {"open": entrants[::-1]}) == page


def _values_only(board, metrics):
    return Report(board=board, cases=(), per_case={}, metrics=metrics, extras=Extras(dataset="sha256:0"))


def test_significance_is_told_by_signs_as_well_as_colours(page):
    cells = re.findall(r'<td class="(better|worse)">(.)', page)
    assert cells
    assert set(cells) <= {("better", "▲"), ("worse", "▼")}
    assert len([one for one, _ in cells if one == "better"]) * 2 == len(cells)


def test_the_same_reports_give_the_same_bytes(page, reports):
    assert render(fomo26(), read_entrants(fomo26(), reports)) == page


def test_the_page_bears_light_dark_paper_and_phones(page):
    for words in ("prefers-color-scheme: dark", "@media print", "width=device-width", "overflow-x: auto"):
        assert words in page


def test_captions_stand_outside_of_what_scrolls_and_names_stay_in_sight(page):
    tables = re.findall(
        r'<p class="caption">([^<]+)</p>\s*<div class="wide"[^>]+aria-label="([^"]+)">\s*<table', page
    )
    twins = page.count("<summary>As a table</summary>")
    assert twins == page.count('<div class="scroll"')
    assert len(tables) + twins == page.count("<table") > 10
    assert all(caption == label for caption, label in tables)
    assert "<caption" not in page
    assert ".wide .name { position: sticky; left: 0;" in page
    assert "no-repeat local" in page  # the shadow that shows that there is more


def test_a_report_in_which_a_metric_failed_is_refused(reports, tmp_path):
    shutil.copytree(reports, tmp_path / "out")
    path = tmp_path / "out" / "base" / "open" / "task1.json"
    content = json.loads(path.read_text())
    content["metrics"]["auroc"] = {"value": None, "reason": "The metric x failed.", "fault": "scorer_failed"}
    path.write_text(json.dumps(content))
    with pytest.raises(
        ScorerFailed, match=r"base/open/task1.json: scorer_failed: auroc has no value. The metric x"
    ):
        read_entrants(fomo26(), tmp_path / "out")


def test_a_report_without_a_value_says_why(reports, tmp_path):
    shutil.copytree(reports, tmp_path / "out")
    path = tmp_path / "out" / "base" / "open" / "task1.json"
    content = json.loads(path.read_text())
    content["metrics"]["auroc"] = {"value": None, "reason": "Only one class is there."}
    path.write_text(json.dumps(content))
    text = Page(render(fomo26(), read_entrants(fomo26(), tmp_path / "out"))).text
    assert "base (baseline) not scored 0" in text
    assert "base (AUROC): Only one class is there." in text


def test_the_command_writes_the_page_and_ends_with_sentences(reports, tmp_path):
    small = tmp_path / "small.yaml"  # the reports' own probe
    small.write_text(json.dumps({"boards": {name: {"probe": SMALL_PROBE} for name in ("task6", "task7")}}))

    def call(folder, *more):
        arguments = [
            "report",
            "--challenge",
            FOMO26,
            "--reports",
            folder,
            "--out",
            tmp_path / "page.html",
            "--overlay",
            small,
            *more,
        ]
        return CliRunner().invoke(app, [str(one) for one in arguments])

    done = call(reports, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["reports"] == 9
    assert (tmp_path / "page.html").stat().st_size == json.loads(done.stdout)["bytes"]
    assert call(tmp_path / "none").exit_code == 1
    for option, where, said in [
        ("--out", tmp_path, "is a directory; name a file in it"),
        ("--out", tmp_path / "no" / "page.html", f"there is no directory {tmp_path / 'no'}; make it first"),
        ("--calibration", tmp_path / "no.json", "there is no such file; `calibrate --json` writes it"),
        ("--calibration", tmp_path, "is no file; `calibrate --json` writes it"),
    ]:
        found = call(reports, option, where)
        assert found.exit_code == 2
        assert f"{option} {where}: {said}" in found.stderr
    assert (
        "the tracks are method, open" in call(_moved(reports, tmp_path / "a", "ada/open", "ada/openn")).stderr
    )
    odd = _moved(reports, tmp_path / "b", "ada/open/task1.json", "ada/open/task2.json")
    assert "this is the report of task1" in call(odd).stderr
    odd = _moved(reports, tmp_path / "c", "ada/open/task1.json", "ada/open/task9.json")
    assert "there is no board 'task9'" in call(odd).stderr


def _moved(reports, target, old, new):
    shutil.copytree(reports, target)
    (target / old).rename(target / new)
    return target


def test_reports_of_different_datasets_are_not_mixed(reports, tmp_path):
    shutil.copytree(reports, tmp_path / "out")
    path = tmp_path / "out" / "base" / "open" / "task1.json"
    path.write_text(path.read_text().replace('"dataset":"sha256:', '"dataset":"sha256:0'))
    with pytest.raises(RankingError, match="the report of task1 is from another dataset"):
        render(fomo26(), read_entrants(fomo26(), tmp_path / "out"))


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ([0.1, 0.9], False),
        ([3, 3], False),
        ([1, 30], True),
        ([1, 1], True),
        ([-1e-3, 1e3], False),
        ([], False),
    ],
)
def test_an_axis_holds_its_values_between_round_ticks(values, whole):
    scale = charts.Scale.over(values, whole=whole)
    assert 2 <= len(scale.ticks) <= 12
    for value in values:
        assert scale.low <= value <= scale.high
        assert 0 < scale.at(value) < charts.WIDTH
    if whole:
        assert all(tick == int(tick) for tick in scale.ticks)


@pytest.mark.parametrize(
    "values",
    [
        [1e17, 1e17],
        [1e17, 1e17 + 32],
        [1e100, -1e100],
        [1.7e308, -1.7e308],
        [float("inf"), 0.5],
        [1e-300, 2e-300],
        [0.3, 1e-320],
        [1e15, 1e15 + 0.25],
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_no_number_of_a_participant_stops_a_plot(values, whole):
    scale = charts.Scale.over(values, whole=whole)
    assert scale.low < scale.high
    assert 1 <= len(scale.ticks) <= 12
    for value in values:
        if charts.is_drawn(value):
            assert 0 < scale.at(value) < charts.WIDTH
    drawn = charts.interval_plot("t", [charts.PlotRow("a", one, -one, one) for one in values], whole=whole)
    drawn += charts.box_plot("t", [("a", values), ("b", values[:1])])
    drawn += charts.group_plot("t", ["g", "h"], [("a", values), ("b", values[:1] * 2)])
    assert not re.search(r'"(nan|-?inf)"', drawn)
    assert ("too large to draw" in drawn) == (not charts.is_drawn(values[0]))


def test_the_page_says_the_level_of_its_reports_whatever_the_file_says_by_now():
    challenge = load_challenge(FOMO26)
    entrants = []
    for team, found in made.season().items():
        report = found["task1"]
        extras = report.extras.model_copy(
            update={"bootstrap": Bootstrap(level=0.9, resamples=200, unit="case")}
        )
        entrants.append(Entrant(team, {"task1": report.model_copy(update={"extras": extras})}))
    text = Page(render(challenge, {"open": entrants})).text
    assert "Values with 90% intervals" in text
    assert "200 resamples by case within site and class" in text
    assert challenge.digest in text
