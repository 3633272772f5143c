"""A metric's digest is that of its own code, whatever else changes beside it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import evaluator
from evaluator.digests import metric_digest
from evaluator.metrics.registry import lookup, names
from evaluator.spec import Metric

KINDS = ("segmentation", "number", "scores", "embedding")
Digests = dict[str, str | None]


SOURCES = Path(evaluator.__file__).parent


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the evaluator's sources, parsed once for all tests."""
    kept = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    folder = tmp_path_factory.mktemp("copied") / "evaluator"
    return Path(shutil.copytree(SOURCES, folder, ignore=kept))


@pytest.fixture
def package(copied: Path) -> Iterator[Path]:
    """The copy, to be changed; it is put right afterwards."""
    yield copied
    for path in copied.rglob("*.py"):
        old = (SOURCES / path.relative_to(copied)).read_bytes()
        if path.read_bytes() != old:
            path.write_bytes(old)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file.name} no longer holds {old!r}"
    file.write_text(text.replace(old, new), encoding="utf-8")


FEW = {
    "segmentation": ("dice", "surface_dice", "hausdorff", "lesion_f1"),
    "number": ("auroc", "mae", "pearson"),
    "scores": ("macro_f1",),
    "embedding": ("ovr_auroc", "macro_f1", "fairness"),
}


def digests(package: Path) -> Digests:
    """Of a metric of each sort."""
    return {
        f"{name} {kind}": metric_digest(Metric(metric=name, of="macro_f1"), kind, package=package)
        for kind, some in FEW.items()
        for name in some
    }


@pytest.fixture(scope="module")
def before() -> Digests:
    """The digests as they are; where the sources lie is not part of them."""
    return digests(SOURCES)


def changed(before: Digests, after: Digests) -> set[str]:
    return {name.split()[0] for name in before if before[name] != after[name]}


def test_every_built_in_metric_has_a_digest_of_its_own(package: Path, before: Digests) -> None:
    of_cases = {name: lookup(name).scope == "per_case" for name in names()}
    every = [
        metric_digest(Metric(metric=name, of="auroc"), kind)
        for name, per_case in of_cases.items()
        for kind in (KINDS[:1] if per_case else KINDS[1:])
    ]
    assert all(one is not None and one.startswith("sha256:") for one in every)
    assert len(set(every)) == len(every)
    assert digests(package) == before, "wherever the sources lie"


def test_dice_halved_is_another_dice_and_the_same_everything_else(package: Path, before: Digests) -> None:
    change(package / "metrics" / "overlap.py", "return ", "return 0.5 * ")
    assert changed(before, digests(package)) == {"dice"}


def test_one_metric_of_a_file_is_changed_and_its_neighbours_are_not(package: Path, before: Digests) -> None:
    change(package / "metrics" / "regression.py", "def mae(", "_HALF = 0.5\n\n\ndef mae(")
    assert changed(before, digests(package)) == set(), "nothing refers to it"
    change(package / "metrics" / "regression.py", "np.abs(", "_HALF * np.abs(")
    found = changed(before, digests(package))
    assert "mae" in found
    assert found <= {"mae", "pearson"}


def test_fairness_goes_with_what_it_compares(package: Path, before: Digests) -> None:
    change(package / "metrics" / "classification.py", "def macro_f1(", "def macro_f1(changed: int = 0, *, ")
    assert changed(before, digests(package)) == {"macro_f1", "fairness"}


@pytest.mark.parametrize(
    ("file", "old", "new", "touched"),
    [
        ("metrics/weighted.py", "def macro_f1(", "def macro_f1(more, ", {"macro_f1", "fairness"}),
        ("metrics/weighted.py", "def weighted_mean(", "def weighted_mean(more, ", {*FEW["segmentation"], "mae"}),
        ("metrics/influence.py", "def of_pearson(", "def of_pearson(more, ", {"pearson"}),
        ("metrics/delong.py", "def unvarying_interval(", "def unvarying_interval(more, ", {"auroc", "ovr_auroc"}),
        ("metrics/fairness.py", "def members_of(", "def members_of(more, ", {"fairness"}),
        ("metrics/registry.py", '"fairness", "higher", 0', '"fairness", "higher", -1', {"fairness"}),
        ("scoring/_fairness.py", "def fairness_reports(", "def fairness_reports(more, ", {"fairness"}),
        ("scoring/_groups.py", "def groups_of(", "def groups_of(more, ", {"fairness"}),
        ("metrics/_of_datasets.py", 'test="t"', 'test="influence"', {"mae"}),
        ("metrics/_of_cases.py", "pair, given.tolerance_mm", "pair, 2 * given.tolerance_mm", {"surface_dice"}),
    ],
)  # fmt: skip
def test_each_part_of_a_row_belongs_to_its_metric_only(
    package: Path, before: Digests, file: str, old: str, new: str, touched: set[str]
) -> None:
    change(package / file, old, new)
    assert changed(before, digests(package)) == touched


def test_what_rows_have_in_common_changes_all_of_their_kind(package: Path, before: Digests) -> None:
    change(package / "metrics" / "_plugin.py", "    def replicates(", "    def replicates(changed, ")
    assert changed(before, digests(package)).isdisjoint(FEW["segmentation"])
    assert changed(before, digests(package)) == {
        name for kind in ("number", "scores", "embedding") for name in FEW[kind]
    }


def test_words_for_people_change_nothing(package: Path, before: Digests) -> None:
    change(package / "metrics" / "_of_datasets.py", 'title="AUROC"', 'title="Area under the curve", unit="%"')
    change(package / "metrics" / "_of_cases.py", 'title="Dice"', 'title="DSC"')
    change(
        package / "metrics" / "registry.py", "interval_note=INTERVAL_NOTE", 'interval_note="Read with care."'
    )
    change(package / "metrics" / "fairness.py", "INTERVAL_NOTE = (", 'INTERVAL_NOTE = ("Told otherwise. "')
    assert changed(before, digests(package)) == set()


def test_a_shared_piece_changes_all_that_use_it(package: Path, before: Digests) -> None:
    change(package / "metrics" / "pairs.py", "class MaskPair:", "class MaskPair:\n    changed = True\n")
    found = changed(before, digests(package))
    assert {"dice", "surface_dice", "hausdorff", "lesion_f1"} <= found
    assert found.isdisjoint({"auroc", "mae", "macro_f1", "fairness"})


def test_what_draws_resamples_changes_every_metric(package: Path, before: Digests) -> None:
    change(package / "resampling.py", "def draw_counts(", "def draw_counts(changed: int, ")
    assert changed(before, digests(package)) == {name.split()[0] for name in before}


def test_the_probe_changes_boards_of_embeddings_only(package: Path, before: Digests) -> None:
    change(package / "probe" / "_train.py", "_WEIGHT_SCALE = ", "_WEIGHT_SCALE = 2 * ")
    after = digests(package)
    assert {name.split()[1] for name in before if before[name] != after[name]} == {"embedding"}


def test_reading_of_reference_maps_changes_segmentations_only(package: Path, before: Digests) -> None:
    change(package / "outputs" / "_reference.py", "def read_label_map(", "def read_label_map(changed: int, ")
    found = changed(before, digests(package))
    assert "dice" in found
    assert "auroc" not in found


def test_form_comments_docstrings_and_sentences_of_errors_change_nothing(
    package: Path, before: Digests
) -> None:
    overlap, errors = package / "metrics" / "overlap.py", package / "metrics" / "classification.py"
    text = overlap.read_text(encoding="utf-8")
    lines = [f"{line}  # a remark" if line.startswith("def ") else line for line in text.splitlines()]
    overlap.write_text(
        '"""Told otherwise."""\n\n\n' + "\n".join(lines[1:]).replace("    ", "  "), encoding="utf-8"
    )
    change(errors, "raise NotScored(", "raise NotScored('Told otherwise. ' +")
    assert changed(before, digests(package)) == set()


def test_a_name_that_is_bound_twice_is_what_it_is_bound_to_last(package: Path, before: Digests) -> None:
    overlap = package / "metrics" / "overlap.py"
    overlap.write_text(
        overlap.read_text(encoding="utf-8") + "\n\ndef dice_of(*_):\n    return 1.0\n", encoding="utf-8"
    )
    found = digests(package)
    assert changed(before, found) == {"dice"}
    text = overlap.read_text(encoding="utf-8")
    overlap.write_text(text.replace("    return 1.0", "    return 0.0"), encoding="utf-8")
    assert changed(found, digests(package)) == {"dice"}


PLUGIN = """
from evaluator.metrics import CaseData, Parameters, case_metric
from .weights import WEIGHT


@case_metric(direction="higher", minimum=0, maximum=1)
def overlap(case: CaseData, parameters: Parameters) -> float:
    return WEIGHT * float((case.prediction == case.reference).mean())
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a metric, on the path and never imported."""
    folder = tmp_path / "plugins" / "digest_plugin"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "metrics.py").write_text(PLUGIN)
    (folder / "weights.py").write_text("WEIGHT = 1.0\n")
    (folder / "atlas.bin").write_bytes(b"\0\1")
    monkeypatch.syspath_prepend(folder.parent)
    return folder


def of_plugin(name: str = "digest_plugin.metrics:overlap") -> str | None:
    return metric_digest(Metric(metric=name), "segmentation")


def to_weights(folder: Path) -> None:
    (folder / "weights.py").write_text("WEIGHT = 0.5\n")


def to_data(folder: Path) -> None:
    (folder / "atlas.bin").write_bytes(b"\0\2")


def to_a_new_file(folder: Path) -> None:
    (folder / "more.py").write_text("MORE = 1\n")


@pytest.mark.parametrize("happens", [to_weights, to_data, to_a_new_file])
def test_any_file_of_a_plugins_package_counts_without_importing_it(
    plugin: Path, happens: Callable[[Path], None]
) -> None:
    before = of_plugin()
    assert before is not None
    assert of_plugin() == before
    happens(plugin)
    assert of_plugin() not in (None, before)
    assert "digest_plugin" not in sys.modules


def test_a_remark_in_a_plugin_changes_nothing_and_without_it_there_is_no_digest(plugin: Path) -> None:
    before = of_plugin()
    (plugin / "weights.py").write_text("# As agreed.\nWEIGHT = 1.0\n")
    assert of_plugin() == before
    shutil.rmtree(plugin)
    assert of_plugin() is None
    assert of_plugin("nowhere.at_all:metric") is None
    assert of_plugin("uninstalled") is None


def test_a_package_that_lies_elsewhere_by_now_is_looked_for_there(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_module("digest_plugin")
    before = of_plugin()
    moved = tmp_path / "elsewhere" / plugin.name
    shutil.move(plugin, moved)
    assert of_plugin() is None
    monkeypatch.syspath_prepend(moved.parent)
    assert of_plugin() == before
    sys.modules.pop("digest_plugin")


def test_how_plugins_are_computed_is_part_of_them_only(plugin: Path, package: Path, before: Digests) -> None:
    metric = Metric(metric="digest_plugin.metrics:overlap")
    old = metric_digest(metric, "segmentation", package=package)
    change(package / "scoring" / "_plugins.py", "def with_plugin(", "def with_plugin(changed: int, ")
    assert metric_digest(metric, "segmentation", package=package) != old
    assert changed(before, digests(package)) == set()


def test_what_a_plugin_takes_from_the_evaluator_is_part_of_it(plugin: Path, package: Path) -> None:
    (plugin / "weights.py").write_text(
        "from evaluator.metrics.volume import volume_difference_of as WEIGHT\n"
    )
    metric = Metric(metric="digest_plugin.metrics:overlap")
    before = metric_digest(metric, "segmentation", package=package)
    change(package / "metrics" / "overlap.py", "return ", "return 0.5 * ")
    assert metric_digest(metric, "segmentation", package=package) == before
    change(package / "metrics" / "volume.py", "return ", "return 0.5 * ")
    assert metric_digest(metric, "segmentation", package=package) != before


def test_a_module_that_is_one_file_comes_with_those_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digest_single.py").write_text(PLUGIN.replace(".weights", "digest_beside"))
    (tmp_path / "digest_beside.py").write_text("WEIGHT = 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = of_plugin("digest_single:overlap")
    (tmp_path / "digest_beside.py").write_text("WEIGHT = 0.5\n")
    assert of_plugin("digest_single:overlap") not in (None, before)
