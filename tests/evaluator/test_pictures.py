"""What holds for every picture: title, description, table, no style of its own, and any number of any rows."""

import csv
import io
import math
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from jinja2 import Environment

from evaluator import charts
from tests.evaluator.drawings import axis, classes, parsed, rows, starts, whisker

ROOT = Path(__file__).parents[2]
START = date(2026, 11, 1)
NOW = datetime(2026, 11, 29, 20, tzinfo=UTC)
ODD = (None, math.nan, math.inf, -math.inf, 1e300, 0.5)
HOSTILE = "<script>alert(1)</script>&\"'\x00\x1b"


def odd(number, plain):
    """A value of row `number`, or one that nobody can draw."""
    return ODD[number % len(ODD)] if plain is None else plain


def places(many, team="Team", value=0.5):
    low = None if value is None else 1
    return charts.rank_sets(
        [
            charts.PlacedTeam(f"{team} {n}", None if value is None else n + 1, low, n + 2, n // 4)
            for n in range(many)
        ]
    )


def significance(many, team="Team", value=0.5):
    names = [f"{team} {n}" for n in range(many)]
    orders = ("ahead", "alike", "behind")
    pairs = [
        charts.ComparedPair(names[one], names[other], orders[(one + other) % 3], odd(other, value))
        for one in range(many)
        for other in range(one + 1, min(one + 5, many))
    ]
    return charts.significance_map(names, pairs)


def slope(many, team="Team", value=0.5):
    return charts.slope(
        [
            charts.MovedTeam(
                f"{team} {n}", None if value is None else n + 1, None if n % 5 == 4 else (n ^ 1) + 1
            )
            for n in range(many)
        ]
    )


def distribution(many, team="Team", value=0.5):
    return charts.distribution(
        [charts.CaseValues(f"{team} {n}", [odd(k, value) for k in range(40)]) for n in range(many)],
        metric=team,
        higher_is_better=True,
    )


def scatter(many, team="Team", value=0.5):
    pairs = [(odd(n, value), odd(n + 1, value)) for n in range(many)]
    return charts.scatter(
        pairs, first=team, second=f"other {team}", metric=team, higher_is_better=False, unit="mm"
    )


def groups(many, team="Team", value=0.5):
    return charts.groups(
        [
            charts.GroupValue(
                f"{team} {n}", odd(n, value), odd(n + 1, value), odd(n + 2, value), n, suppressed=n % 7 == 6
            )
            for n in range(many)
        ],
        metric=team,
        higher_is_better=True,
        overall=value,
    )


def difference(many, team="Team", value=0.5):
    made = [
        charts.TeamsDifference(
            f"{team} {n}", odd(n, value), odd(n + 1, value), odd(n + 2, value), n % 2 == 0, "mm"
        )
        for n in range(many)
    ]
    return charts.difference(made, first=team, second=f"other {team}")


def outcomes(many, team="Team", value=0.5):
    days = [charts.DayOutcomes(START + timedelta(days=n), n % 9, n % 4, n % 3, n % 2) for n in range(many)]
    return charts.outcomes(days, title=team)


def timeline(many, team="Team", value=0.5):
    opens = datetime(2026, 9, 1, tzinfo=UTC)
    phases = [
        charts.TimelinePhase(
            f"{team} {n}",
            None if value is None else opens + timedelta(days=n),
            None if n % 3 == 2 else opens + timedelta(days=n + 30),
            opens + timedelta(days=n + 20) if n % 2 else None,
            opens + timedelta(days=n + 40) if n % 2 else None,
        )
        for n in range(many)
    ]
    return charts.timeline(phases, now=NOW)


def forecast(many, team="Team", value=0.5):
    days = [
        charts.QueuedDay(START + timedelta(days=n), odd(n, value) or 0.0, odd(n + 1, value))
        for n in range(many)
    ]
    return charts.forecast(days, deadline=NOW, title=team)


def weights(many, team="Team", value=0.5):
    shares = [
        charts.FirstShare(f"{team} {n}", math.nan if value is None else value / (n + 1)) for n in range(many)
    ]
    return charts.weights(shares)


EVERY = (
    places,
    significance,
    slope,
    distribution,
    scatter,
    groups,
    difference,
    outcomes,
    timeline,
    forecast,
    weights,
)
"""Each makes a picture of so many rows; `value` None brings in what nobody can draw."""


@pytest.fixture(params=EVERY, ids=lambda make: make.__name__)
def make(request):
    return request.param


@pytest.mark.parametrize("value", [0.5, None], ids=["equal", "undrawable"])
@pytest.mark.parametrize("many", [0, 1, 2, 500])
def test_any_number_of_any_rows_is_drawn(make, many, value):
    picture = make(many, value=value)
    root = parsed(picture.svg)
    wide, high = map(float, root.get("viewBox").split()[2:])
    assert wide == charts.WIDTH
    assert 20 < high < (3000 if many == 500 else 500)
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r">[^<]*<", "><", picture.svg))
    for element in root.iter():
        for name in ("x", "cx", "x1", "x2"):
            if element.get(name) is not None and not element.get("width", "").endswith("%"):
                assert -20 <= float(element.get(name)) <= wide
        for name in ("width", "height"):
            assert float(element.get(name, 1)) > 0
    assert len(picture.svg) < 200_000
    assert len(picture.description) < 4000
    assert len(picture.rows) >= (many if make is not significance else many - 1)
    assert all(len(row) == len(picture.header) for row in picture.rows)


def test_every_picture_says_what_it_is_and_how_to_read_it(make):
    picture = make(3)
    root = parsed(picture.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == picture.title == root.find("title").text
    assert picture.description == root.find("desc").text
    assert re.fullmatch(r"[A-Z][^!?]+\.", picture.reading)
    assert not re.search(r"[.?!] ", picture.reading)
    assert len(picture.description) > 20
    assert re.fullmatch(r"[a-z-]+", picture.name)


def test_no_picture_has_a_style_or_script_of_its_own(make):
    found = make(9, team=HOSTILE)
    for markup in (found.svg, found.figure([("CSV", "/x?a=1&b=2")])):
        assert not re.search(r"<(style|script|image|use|foreignObject|a )", markup.replace('<a href="/x', ""))
        assert not re.search(r"\s(style|on\w+|fill|stroke|font-\w+|xlink:href)=", markup)
        assert "url(" not in markup
        assert "id=" not in markup


def test_text_of_teams_is_text(make):
    picture = make(4, team=HOSTILE)
    for markup in (str(picture.svg), str(picture.figure()), picture.svg_file()):
        assert "alert(1)" in markup
        assert "<script" not in markup
        assert not re.search(r"[\x00-\x08\x1b]", markup)
    parsed(picture.svg)


def test_equal_arguments_give_equal_pictures(make):
    assert make(30) == make(30)


def test_templates_write_a_picture_whole(make):
    picture = make(2)
    page = Environment(autoescape=True).from_string("{{ one }}").render(one=picture)
    assert page == picture.figure()
    root = parsed(page)
    assert root.get("class") == "picture"
    caption = "".join(root.find("figcaption").itertext())
    assert caption == f"{picture.title} {picture.reading}"
    cells = [[cell.text or "" for cell in row] for row in root.find(".//tbody")]
    assert cells == [list(row) for row in picture.rows]
    assert root.find(".//thead/tr/th").get("scope") == "col"
    assert root.find("details").get("open") is None
    assert "<details open>" in picture.figure(table="open")
    assert "<table" not in picture.figure(table="beside")
    linked = parsed(picture.figure([("CSV", "/a?b=1&c=2"), ("SVG", "/d")]))
    assert [(one.text, one.get("href")) for one in linked.iter("a")] == [("CSV", "/a?b=1&c=2"), ("SVG", "/d")]


def test_a_file_of_its_own_brings_its_style_and_loads_nothing(make):
    alone = make(5).svg_file()
    root = parsed(alone)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert int(root.get("width")) == 720
    wide, high = map(float, root.get("viewBox").split()[2:])
    assert abs(int(root.get("height")) / 720 - high / wide) < 0.01
    style = root.find("{*}style").text
    assert "var(" not in style
    assert "@" not in style
    assert "prefers-color-scheme" not in style
    used = {name for element in root.iter() for name in classes(element)} - {"drawing", "start", "line"}
    assert not {name for name in used if f".{name}" not in style}
    assert alone.count("http") == 1


def test_every_class_has_a_rule_and_every_colour_a_light_and_a_dark_one():
    styles = charts.STYLES
    light, dark = (
        set(re.findall(r"(--[a-z0-9-]+):", block))
        for block in re.findall(r":where\(:root\) \{(.*?)\}", styles, re.S)
    )
    assert light == dark == set(re.findall(r"var\((--[a-z0-9-]+)\)", styles)) | {"--warn"}
    assert "!important" not in styles


def test_a_spreadsheet_gets_whole_numbers_and_no_formula():
    picture = charts.rank_sets([charts.PlacedTeam("=cmd()", 1, 1, 2), charts.PlacedTeam('a,"b"', None)])
    assert list(csv.reader(io.StringIO(picture.csv()))) == [
        ["Team", "Place", "Lowest", "Highest", "Group"],
        ["'=cmd()", "1", "1", "2", ""],
        ['a,"b"', "", "", "", ""],
    ]
    exact = charts.difference([charts.TeamsDifference("DSC", -1 / 3)], first="a", second="b")
    assert f",{-1 / 3!r}," in exact.csv().splitlines()[1].replace("DSC", "", 1)
    assert exact.rows[0][1] == "−0.3333"


def test_more_teams_than_are_drawn_are_told_and_in_the_table():
    picture = places(75)
    assert len(list(parsed(picture.svg).iter("circle"))) == charts.MOST_TEAMS == 60
    assert "15 more teams in the table alone" in picture.svg
    assert len(picture.rows) == 75
    drawn = significance(40)
    assert "10 more teams in the table alone" in drawn.svg


def test_a_slope_draws_who_moves_before_who_stays():
    teams = [charts.MovedTeam(f"t{n}", n + 1, n + 1) for n in range(80)]
    teams[70:72] = [charts.MovedTeam("up", 72, 71), charts.MovedTeam("down", 71, 72)]
    picture = charts.slope(teams)
    root = parsed(picture.svg)
    told = dict(rows(root))
    assert "up: from place 72 up to 71" in told
    assert "down: from place 71 down to 72" in told
    lines = {style: [] for style in ("up", "down", "stays")}
    for element in root.iter("line"):
        lines[classes(element)[0]].append(float(element.get("y2")) - float(element.get("y1")))
    assert (len(lines["up"]), len(lines["down"]), len(lines["stays"])) == (1, 1, 58)
    assert lines["up"][0] < 0 < lines["down"][0]
    assert set(lines["stays"]) == {0}
    assert "20 more teams in the table alone; none of them moves" in picture.svg
    assert picture.rows[70] == ("up", "72", "71", "up 1")


def test_new_and_gone_teams_are_told_from_those_that_move():
    found = charts.slope([charts.MovedTeam("in", None, 1), charts.MovedTeam("out", 1, None)])
    assert [row[3] for row in found.rows] == ["new", "gone"]
    assert "2 of 2 places move" in found.description


def test_the_worst_tenth_is_crossed_at_the_right_end_whichever_way_is_better():
    values = [float(n) for n in range(40)]
    for higher_is_better in (True, False):
        picture = charts.distribution(
            [charts.CaseValues("a", values)], metric="x", higher_is_better=higher_is_better
        )
        root = parsed(picture.svg)
        at = axis(root)
        worst = next(path for path in root.iter("path") if "worst" in classes(path) and len(starts(path)) > 1)
        crossed = sorted(round(at(x)) for x, _ in starts(worst))
        assert crossed == ([0, 1, 2, 3] if higher_is_better else [36, 37, 38, 39])
        assert picture.values[0][6] == (1.5 if higher_is_better else 37.5)
        points = next(
            path for path in root.iter("path") if "points" in classes(path) and len(starts(path)) > 1
        )
        assert len(starts(points)) == 36


def test_a_spread_is_drawn_without_its_cases():
    values = charts.CaseValues("a", [float(n) for n in range(40)])
    spread = charts.TeamSpread.of(values, higher_is_better=True)
    whole, hidden = (
        charts.distribution([one], metric="x", higher_is_better=True) for one in (values, spread)
    )
    assert whole.values == hidden.values == (("a", 40, 19.5, 19.5, 9.75, 29.25, 1.5, 0),)
    root = parsed(hidden.svg)
    at = axis(root)
    assert not [path for path in root.iter("path") if "points" in classes(path)]
    ((_, row),) = rows(root)
    box = next(row.iter("rect"))
    ends = [float(box.get("x")), float(box.get("x")) + float(box.get("width"))]
    crossed = next(path for path in row.iter("path") if "worst" in classes(path))
    assert [at(x) for x in (*ends, starts(crossed)[0][0])] == pytest.approx([9.75, 29.25, 1.5], abs=0.1)
    assert "Each dot" not in hidden.reading


def test_a_scatter_counts_who_is_better_and_draws_as_many():
    pairs = [(0.9, 0.8), (0.7, 0.8), (0.6, 0.6), (0.5, 0.1), (None, 0.3), (math.inf, 0.2)]
    for higher_is_better, wins in ((True, (2, 1)), (False, (1, 2))):
        picture = charts.scatter(pairs, first="a", second="b", metric="m", higher_is_better=higher_is_better)
        drawn = {
            group.get("data-better"): len(starts(group.find("path")))
            for group in parsed(picture.svg).iter("g")
            if group.get("data-better")
        }
        assert drawn == {"first": wins[0], "second": wins[1], "neither": 1}
        assert f"Of 4 cases, a is better in {wins[0]}, b in {wins[1]}, and 1 is equal." in picture.description
        assert "2 cases have no value of both" in picture.description
    assert picture.values[0] == (1, 0.9, 0.8, pytest.approx(0.1))


def test_a_group_that_is_too_small_tells_neither_value_nor_size():
    hidden = charts.GroupValue("Lund", 0.123, 0.1, 0.2, 3, suppressed=True)
    found = charts.groups(
        [charts.GroupValue("Bern", 0.9, 0.8, 0.95, 40), hidden], metric="DSC", higher_is_better=True
    )
    for text in (found.svg, found.description, found.csv(), found.figure(), found.svg_file()):
        assert "0.123" not in text
        assert "3 cases" not in text
        assert "too few cases to show" in text
    at = axis(parsed(found.svg))
    assert at(0) > 0.3 or at(charts.WIDTH) < 1.2  # nor does the axis reach for it
    assert found.rows[1] == ("Lund", "–", "–", "–", "–", "too few cases to show")


def test_differences_point_to_who_is_better_whatever_way_the_metric_goes():
    made = [
        charts.TeamsDifference("DSC", 0.1, 0.05, 0.15),
        charts.TeamsDifference("HD95", 4.0, 1.0, 7.0, higher_is_better=False, unit="mm"),
        charts.TeamsDifference("NSD", 0.1, -0.1, 0.3),
    ]
    picture = charts.difference(made, first="ada", second="bell")
    root = parsed(picture.svg)
    zero = next(float(line.get("x1")) for line in root.iter("line") if "base" in classes(line))
    ends = [whisker(group) for _, group in rows(root)]
    assert ends[0][0] > zero > ends[1][1]
    assert ends[2][0] < zero < ends[2][1]
    assert [row[5] for row in picture.rows] == ["ada", "bell", "not told apart"]
    assert "each row has a scale of its own" in picture.reading
    shared = charts.difference(made[::2], first="ada", second="bell")
    assert "scale of its own" not in shared.reading


def test_bars_are_as_high_as_their_counts_and_long_spans_are_weeks():
    days = [charts.DayOutcomes(START, 3, 2, 1, 4), charts.DayOutcomes(START + timedelta(days=1), 6)]
    root = parsed(charts.outcomes(days).svg)
    drawn = {words: [float(part.get("height")) for part in group.iter("rect")] for words, group in rows(root)}
    three, two, one, four = drawn["1 Nov: 3 scored, 2 rejected, 1 errored, 4 waiting"]
    assert [three / one, two / one, four / one] == pytest.approx([3, 2, 4], abs=0.05)
    assert drawn["2 Nov: 6 scored"][0] / one == pytest.approx(6, abs=0.05)
    long = outcomes(200)
    assert "Each bar is a week" in long.reading
    assert len(rows(parsed(long.svg))) == 30
    assert len(long.rows) == 200


def test_phases_are_told_by_where_they_stand_today():
    picture = charts.timeline(
        [
            charts.TimelinePhase("a", NOW - timedelta(days=9), NOW - timedelta(days=2)),
            charts.TimelinePhase(
                "b", NOW - timedelta(days=2), NOW + timedelta(days=5), NOW + timedelta(days=3)
            ),
            charts.TimelinePhase("c", NOW + timedelta(days=5)),
            charts.TimelinePhase("d"),
        ],
        now=NOW,
    )
    assert [row[1] for row in picture.rows] == ["over", "running", "to come", "not dated"]
    assert picture.rows[1][3] == "2026-12-02 20:00 UTC"
    root = parsed(picture.svg)
    today = next(float(line.get("x1")) for line in root.iter("line") if "now" in classes(line))
    bars = {
        words[0]: (float(bar.get("x")), float(bar.get("x")) + float(bar.get("width")))
        for words, group in rows(root)
        for bar in group.iter("rect")
    }
    assert bars["a"][1] < today < bars["c"][0]
    assert bars["b"][0] < today < bars["b"][1]


def test_a_forecast_says_whether_the_queue_is_in_time():
    def found(hours):
        days = [charts.QueuedDay(START + timedelta(days=n), value, 24) for n, value in enumerate(hours)]
        return charts.forecast(days, deadline=datetime(2026, 11, 4, 12, tzinfo=UTC))

    late = found([90, 70, 50, 30, 10, 0])
    assert (
        "At the end of 3 Nov 2026, the last whole day before the deadline, 50 hours of work wait"
        in late.description
    )
    assert "empty by the end of 6 Nov 2026" in late.description
    root = parsed(late.svg)
    assert sum("late" in classes(bar) for _, group in rows(root) for bar in group.iter("rect")) == 2
    early = found([30, 5, 0])
    assert early.description.startswith("The queue is empty by the end of 3 Nov 2026, before the deadline")


def test_shares_of_first_places_fill_the_bar_also_where_ties_count_twice():
    shares = [charts.FirstShare("a", 0.8), charts.FirstShare("b", 0.4), charts.FirstShare("c", 0.0)]
    root = parsed(charts.weights(shares).svg)
    widths = [float(next(group.iter("rect")).get("width")) for _, group in rows(root)]
    assert len(widths) == 2
    assert widths[0] / widths[1] == pytest.approx(2, abs=0.02)
    assert sum(widths) == pytest.approx(charts.WIDTH - 16, abs=4)
    many = charts.weights([charts.FirstShare(f"t{n}", 0.1) for n in range(10)])
    assert "4 others" in many.svg
    assert len(many.rows) == 10
