"""Challenge files that are broken, hostile or absurd: each is refused in words that name file, place and remedy."""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from evaluator.spec import Challenge, SpecError, load_challenge

FOMO26 = Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml"
TEXT = FOMO26.read_text()
CONTENT = yaml.safe_load(TEXT)
OWN = "tests.evaluator.broken_metrics"


def refused(tmp_path, content):
    path = tmp_path / "challenge.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecError) as error:
        load_challenge(path)
    assert error.value.problems
    return str(error.value)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "challenge.yaml: the file is empty"),
        ("# nothing yet\n", "challenge.yaml:1: holds one value; a challenge file is a mapping"),
        ("- a\n- b\n", "challenge.yaml:1: holds a list; a challenge file is a mapping"),
        (
            "a: 1\nb: 2026-02-30\n",
            "challenge.yaml:2: not valid YAML: '2026-02-30' is no timestamp (day is out",
        ),
        ("a: !!int abc\n", "challenge.yaml:1: not valid YAML: 'abc' is no int"),
        ("a: !!bool maybe\n", "'maybe' is no bool"),
        ("a: !!timestamp soon\n", "'soon' is no timestamp"),
        ("a: !!float x\n", "'x' is no float"),
        ('a: !!int ""\n', "'' is no int"),
        ("a:\n  - " + "9" * 5000 + "\n", "challenge.yaml:2: not valid YAML: '999"),
        ("a: 1\n" + "[" * 3000, "challenge.yaml:"),
        (
            "a: 1\nb: " + "[" * 3000 + "]" * 3000,
            "challenge.yaml:2: not valid YAML: nests deeper than 40 levels",
        ),
        ("a: {x: 1}\nb: 2\na: 3\n", "challenge.yaml:3: not valid YAML: 'a' stands twice; keep one"),
        ("? [a, b]\n: 1\n", "challenge.yaml:1: not valid YAML: found unhashable key"),
        (BOMB, "stands for more than 100,000 values"),
        (MERGES, "stands for more than 100,000 values"),
        (CHAIN, "or 40 levels"),
        ("a: &a [*a]\n", "challenge.yaml:1: an alias stands within what it stands for"),
        (b"a: caf\xe9\n", "challenge.yaml:1: is not UTF-8 text"),
        ('a: 1\nb: "\\ud800"\n', "challenge.yaml:2: holds a control character"),
        ('b: "\\0"\n', "challenge.yaml:1: holds a control character"),
        (b"a: 1\nb: \x00\n", "challenge.yaml:2: holds the character 0x0"),
        ("a: !!python/object:os.system {}\n", "challenge.yaml:1: not valid YAML"),
        ("a: 1\n---\nb: 1\n", "challenge.yaml:2: not valid YAML"),
        ("#" * 300_000, "is larger than 256 KiB"),
    ],
)
def test_what_is_no_usable_yaml_is_refused_with_its_place(tmp_path, content, says):
    assert says in refused(tmp_path, content)


def test_merge_keys_and_aliases_are_no_keys_that_stand_twice(tmp_path):
    path = tmp_path / "challenge.yaml"
    merged = "probe: &probe {<<: {n_train: 80, n_val: 21}, n_val: 20, "
    path.write_text(TEXT.replace("probe: &probe {n_train: 80, n_val: 20, ", merged))
    assert load_challenge(path).digest == load_challenge(FOMO26).digest


def test_a_directory_and_a_file_that_is_not_there_are_said(tmp_path):
    with pytest.raises(SpecError, match="is a directory; a challenge file is wanted"):
        load_challenge(tmp_path)
    with pytest.raises(SpecError, match="there is no such file"):
        load_challenge(FOMO26 / "x")


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("labels: [0, 1, 2]", "labels: [0, -1]", "tasks.task4.output.labels.1", "greater than or equal to 0"),
        ("labels: [0, 1, 2]", "labels: [0, 1, 1]", "tasks.task4.output.labels", "1 stands twice; keep one"),
        ("labels: [0, 1, 2]", "labels: [1, 2]", "tasks.task4.output.labels", "0, the background, is missing"),
        ("labels: [0, 1, 2]", f"labels: [0, {10**20}]", "tasks.task4.output.labels.1", "16777216"),
        ("labels: [1, 2], b", "labels: [1, 1], b", "boards.task4.metrics.dsc.labels.1", "label 1 stands twice"),
        ("task1: 10,", "task1: .inf,", "ranking.weights.task1", "finite"),
        ("task1: 10,", "task1: .nan,", "ranking.weights.task1", "finite"),
        ("task1: 10,", "task1: 1e999,", "ranking.weights.task1", "finite"),
        ("seconds_per_case: 120", "seconds_per_case: .inf", "limits.seconds_per_case", "finite"),
        ("seconds_per_case: 120", "seconds_per_case: 1.0e+12", "limits.seconds_per_case", "less than"),
        ("cpus: 32", "cpus: .nan", "limits.cpus", "finite"),
        ("memory: 64g", f"memory: {10**30}", "limits.memory", "64 TiB are the most"),
        ("bins: [40, 60", "bins: [.nan, 60", "boards.task7.groups.1.bins.0", "finite"),
        ("bins: [40, 60", "bins: [60, 40", "boards.task7.groups.1.bins", "40 stands after 60"),
        ("bins: [40, 60, 80, 200]", "bins: []", "boards.task7.groups.1.bins", "at least 1"),
        ("strata: [class],", "strata: [class], resamples: 1000000000000,", "resamples", "less than or equal"),
        ("minimum: 0, maximum: 1", "minimum: 2, maximum: 1", "tasks.task1.output", "minimum 2 is above maximum 1"),
        ("tolerance_mm: 1.0", "tolerance_mm: .inf", "boards.task2.metrics.nsd.tolerance_mm", "is finite"),
        ("seed: 42,", f"seed: {2**64},", "boards.task6.probe.seed", "less than"),
        ("seed: 42,", "learning_rates: [],", "boards.task6.probe.learning_rates", "at least 1"),
        ("seed: 42,", "learning_rates: [0.1, 0.1],", "boards.task6.probe.learning_rates", "0.1 stands twice"),
        ("tracks: [method, open]", "tracks: [open, open]", "tracks", "'open' stands twice"),
        ("- {variable: sex}", "- {variable: age}", "boards.task7", "every variable stands once"),
        ("opens: null", "opens: 2026-06-15", "phases.test.opens", "needs its offset"),
        ("title: FOMO26", "title: 12", "title", "put 12 in quotation marks"),
    ],
)  # fmt: skip
def test_numbers_and_names_that_no_challenge_has_are_refused(tmp_path, old, new, field, says):
    assert old in TEXT
    said = refused(tmp_path, TEXT.replace(old, new, 1))
    assert field in said
    assert says in said
    assert "challenge.yaml:" in said


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ('["e\\u0301", "\\u00e9"]', "stands twice"),
        ('[a, " b"]', "begins or ends with a blank"),
        ('[a, ""]', "unknown; name the class otherwise"),
        ("[a, N/A]", "unknown; name the class otherwise"),
        ("[a, a]", "'a' stands twice"),
    ],
)
def test_classes_are_named_as_references_can_name_them(tmp_path, classes, says):
    kind = "output: {kind: number, minimum: 0, maximum: 1}"
    assert says in refused(tmp_path, TEXT.replace(kind, f"output: {{kind: scores, classes: {classes}}}", 1))


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("minimum: 2, maximum: 5", "minimum of 2 excludes 0"),
        ("minimum: 0, maximum: 0.5", "maximum of 0.5 excludes 1"),
    ],
)
def test_a_range_without_both_classes_is_refused_for_metrics_of_two(tmp_path, limits, says):
    kind = "output: {kind: number, minimum: 0, maximum: 1}"
    said = refused(tmp_path, TEXT.replace(kind, f"output: {{kind: number, {limits}}}", 1))
    assert "auroc needs labels 0 and 1" in said
    assert says in said

    other = TEXT.replace(kind, f"output: {{kind: number, {limits}}}", 1)
    own = refused(tmp_path, other.replace("{metric: auroc", f'{{metric: "{OWN}:of_two"', 1))
    assert f"{OWN}:of_two needs labels 0 and 1" in own


@pytest.mark.parametrize(
    ("metric", "field", "says"),
    [
        (
            "{metric: ovr_auroc}",
            "task1",
            "ovr_auroc reads one score per class, and the task's output is number",
        ),
        (f'{{metric: "{OWN}:of_classes"}}', "task1", "of_classes reads one score per class"),
        ("{metric: fairness, of: macro_f1}", "task1", "fairness reads one score per class"),
        (
            "{metric: fairness, of: auroc}",
            "task1",
            "fairness compares groups, and the board names none in groups",
        ),
        ("{metric: auroc}", "task6", "auroc reads one number per case, and the task's output is embedding"),
        (f'{{metric: "{OWN}:of_two"}}', "task6", "of_two reads one number per case"),
        (f'{{metric: fairness, of: "{OWN}:of_two"}}', "task7", "fairness reads one number per case"),
    ],
)
def test_a_metric_of_other_outputs_than_the_tasks_is_refused_also_one_of_your_own(
    tmp_path, metric, field, says
):
    overlay = f"boards: {{{field}: {{metrics: {{odd: {metric}}}}}}}"
    (tmp_path / "overlay.yaml").write_text(overlay)
    with pytest.raises(SpecError) as error:
        load_challenge(FOMO26, tmp_path / "overlay.yaml")
    assert f"boards.{field}.metrics.odd.metric" in str(error.value)
    assert says in str(error.value)


def test_a_metric_of_your_own_that_reads_what_the_task_writes_is_taken(tmp_path):
    wanted = {"task1": f"{OWN}:of_two", "task6": f"{OWN}:of_classes"}
    overlay = {
        "boards": {board: {"metrics": {"odd": {"metric": metric}}} for board, metric in wanted.items()}
    }
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    boards = load_challenge(FOMO26, tmp_path / "overlay.yaml").boards
    assert {"odd"} <= boards["task1"].metrics.keys() & boards["task6"].metrics.keys()


def test_a_rule_that_only_whole_files_break_is_said_too(tmp_path):
    weights = "weights: {task1: 10, task2: 25, task3: 10, task4: 25, task5: 10, task6: 10, task7: 10}"
    none = weights.replace("10", '"0"').replace("25", '"0"')
    assert "the weights add up to 0" in refused(tmp_path, TEXT.replace(weights, none))


ODD = [
    *(None, True, -1, 0, 10**30, 0.5, float("nan"), float("inf"), "", " ", "a", "x" * 200, "é\n", "1e999"),
    *([], {}, [[]], {"a": {"b": []}}, [None], {1: 2}, {"metric": "dice"}, "dice", "task9", b"\0", -0.0),
]
SCALARS = st.one_of(
    st.sampled_from(ODD),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.dates(),
    st.datetimes(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


PLACES = [path for path in places(CONTENT) if path]


def mutated(content, path, value, deed):
    """`content` with what lies at `path` replaced, removed, doubled under another name or exchanged with a sibling."""
    *parents, last = path
    node = content
    try:
        for part in parents:
            node = node[part]
        if deed == "replace":
            node[last] = value
        elif deed == "remove":
            del node[last]
        elif deed == "rename":
            node[value if isinstance(value, str) else "other"] = node.pop(last)
        elif isinstance(node, list):
            node.append(node[last])
        else:
            other = list(node)[len(repr(value)) % len(node)]
            node[last], node[other] = node[other], node[last]
    except (KeyError, IndexError, TypeError, AttributeError):
        pass  # an earlier mutation took the place away


def loaded(path):
    try:
        return load_challenge(path)
    except SpecError as error:
        return error


@seed(20260615)
@settings(max_examples=60, deadline=None, database=None, phases=[Phase.generate])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            VALUES,
            st.sampled_from(["replace", "replace", "remove", "rename", "swap"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_whatever_a_file_holds_it_is_a_challenge_or_refused(tmp_path_factory, mutations, tear):
    content = copy.deepcopy(CONTENT)
    for path, value, deed in mutations:
        mutated(content, path, value, deed)
    text = yaml.dump(content, allow_unicode=True).encode(errors="surrogatepass")
    if tear:
        text = text[: len(repr(mutations)) * 97 % len(text)]
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_bytes(text)
    found = loaded(path)
    if isinstance(found, Challenge):
        assert Challenge.model_validate(found.model_dump(mode="json")).digest == found.digest
    else:
        assert found.problems
        assert all(one.message and "\n" not in str(one) for one in found.problems)
        assert str(found).encode()
