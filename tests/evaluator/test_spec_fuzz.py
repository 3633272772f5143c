"""Challenge files and overlays, changed at random: each can be run by an engine, or is refused in words."""

import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluator.spec import Challenge, Limits, SpecError, parse_challenge, read_challenge
from evaluator.spec.limits import (
    LEAST_CPUS,
    LEAST_DISK,
    LEAST_MEMORY,
    LEAST_PROCESSES,
    MOST_DISK,
    MOST_PROCESSES,
)
from sandbox.jobs import CaseJob, Slot
from sandbox.options import Host, Mounts, build, receipt, runtime

ROOT = Path(__file__).parents[2]
FILES = [
    (ROOT / "challenges" / name / "challenge.yaml").read_text()
    for name in ("fomo26", "fomo25", "skin-lesions")
]
OVERLAYS = [(ROOT / "demo/overlay.yaml").read_text(), (ROOT / "tests/e2e/overlay.yaml").read_text()]
PROBLEM = re.compile(r"(challenge|overlay)\.yaml(:\d+)?: (\S+: )?\S.*[^.\s]")
RAW = ("Input should", "Value error", "validation error", "Traceback", "pydantic", "Field required", "<class")
ODD: list[Any] = [
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        2,
        64,
        4096,
        10**9,
        10**30,
        -0.0,
        1e-9,
        0.5,
        1.5,
        float("nan"),
        float("inf"),
    ),
    *(
        "",
        " ",
        "a",
        "x" * 300,
        "é\n",
        "1e999",
        "64",
        "64g",
        "0x10",
        "nan",
        "yes",
        "auto",
        "--output",
        "--flair",
    ),
    *(
        "t1w.nii",
        "a.b.c.nii.gz",
        "T1.NII.GZ",
        "../x",
        "task1",
        "dice",
        "2026-06-15",
        "1788213599",
        "\u202e",
        "\x85",
    ),
    *([], {}, [[]], [None], [0, 1], ["a", "a"], {"a": {"b": []}}, {1: 2}, {"metric": "dice"}, {"key": "t1w"}),
]
TEXTS = [
    *("&a ", "*a", "!!int ", "!!binary ", "<<: ", "? ", "- ", ": ", "{", "}", "[", "]", '"', "'", "#", "|", ">", "%"),
    *("\t", "\n", "\r", "\0", "\u2028", "\ufeff", "٣", "12:30:00", "010", "1_0", ".inf", "~", "yes", "---\n", "\ud800"),
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield from places(inner, (*path, key))


def torn(text: str, draw: random.Random) -> str:
    """`text` after characters, lines and pieces of other places were put in, taken out or exchanged."""
    for _ in range(draw.randint(1, 3)):
        lines = text.split("\n")
        at = draw.randrange(len(text) + 1)
        line = draw.randrange(len(lines))
        match draw.randrange(6):
            case 0:
                text = text[:at] + draw.choice(TEXTS) + text[at:]
            case 1:
                text = text[:at] + text[at + draw.randint(1, 30) :]
            case 2:
                text = "\n".join([*lines[:line], *lines[line + 1 :]])
            case 3:
                text = "\n".join([*lines[:line], draw.choice(lines), *lines[line:]])
            case 4:
                text = "\n".join(
                    [*lines[:line], " " * draw.randint(0, 4) + lines[line].lstrip(), *lines[line + 1 :]]
                )
            case _:
                words = re.findall(r"[\w./-]+", text)
                text = text.replace(draw.choice(words), str(draw.choice([*words, *ODD[:20]])), 1)
    return text


def turned(text: str, draw: random.Random) -> str:
    """The YAML in `text` after values were replaced, taken out, renamed, doubled or moved."""
    content = copy.deepcopy(yaml.safe_load(text))
    for _ in range(draw.randint(1, 4)):
        known = list(places(content))
        if not known:
            break
        *parents, last = draw.choice(known)
        node = content
        for part in parents:
            node = node[part]
        match draw.randrange(6):
            case 0 | 1:
                node[last] = draw.choice(ODD)
            case 2:
                del node[last]
            case 3 if isinstance(node, dict):
                new = draw.choice(["other", "Ö", "", *map(str, node)])
                node[new] = node.pop(last)
            case 4:
                node[last] = near(node[last], draw)
            case _:
                other = draw.choice(known)
                value: Any = content
                try:
                    for part in other:
                        value = value[part]
                except (KeyError, IndexError, TypeError):
                    continue  # an earlier change took it away
                node[last] = copy.deepcopy(value)
    return yaml.dump(content, allow_unicode=True, sort_keys=False)


def near(value: Any, draw: random.Random) -> Any:
    """Something like `value`, more likely to be let through."""
    if isinstance(value, bool) or value is None:
        return draw.choice([True, False, None])
    if isinstance(value, int | float):
        return draw.choice(
            [value + 1, value * 1000, value / 1000, value // 2, -value, float(value), str(value)]
        )
    if isinstance(value, str):
        sizes = [f"{draw.choice([1, 3, 4, 16, 63, 999])}{draw.choice(['', 'k', 'm', 'g', 't', 'GiB'])}"]
        return draw.choice([value.upper(), value[:-1], value * 2, value + "2", *sizes])
    if isinstance(value, list):
        return draw.choice([value * 2, value[:1], value[::-1], value[0] if value else []])
    return dict(list(value.items())[::-1]) if isinstance(value, dict) else str(value)


def outcome(file: str, overlay: str | None) -> Challenge | SpecError:
    try:
        return read_challenge(file, overlay)
    except SpecError as error:
        return error


def can_run(spec: Challenge) -> None:
    """Every task's case becomes options that an engine takes, on any slot that may run it."""
    for name, task in spec.tasks.items():
        limits = spec.limits_of(name)
        inputs = {one.key: Path("/nowhere") for one in task.all_inputs}
        for slot in (Slot(), Slot(cpuset="0-3", memory=limits.memory)):
            job = CaseJob(
                "proctor-x-1", "sha256:0", task, name, spec.tracks[0], inputs, "c", limits, slot, Path("/x")
            )
            if limits.profile == "strict":
                job.limits.__dict__["profile"] = "compatible"  # needs disks, which this test makes none of
            config = build(job, Host(8, None), Mounts(Path("/x"), {}))
            holds(config, limits)
            assert runtime(job) in ("runc", "runsc")
            assert json.dumps(receipt(config), allow_nan=False)


def holds(config: dict[str, Any], limits: Limits) -> None:
    host, words = config["HostConfig"], [*config["Cmd"], *config.get("Entrypoint", ["x"])]
    assert LEAST_MEMORY <= host["Memory"] == host["MemorySwap"] < 2**63
    assert LEAST_PROCESSES <= host["PidsLimit"] <= MOST_PROCESSES
    assert host["NanoCpus"] == 0 or LEAST_CPUS * 1e9 <= host["NanoCpus"] <= 8e9
    assert 0 < host["ShmSize"] <= max(limits.memory, 64 * 2**20)
    assert all(0 <= one["Hard"] < 2**63 for one in host["Ulimits"])
    assert LEAST_DISK <= min(limits.disk, limits.output) <= max(limits.disk, limits.output) <= MOST_DISK
    assert limits.seconds_per_case >= 1
    assert words
    assert words[0]
    assert all("\0" not in one and one.encode() for one in words)
    flags = [one for one in config["Cmd"] if one.startswith("--")]
    assert len(set(flags)) == len(flags)
    assert flags[-1] == "--output"


def drawn(seed: int) -> tuple[str, str | None]:
    """A challenge file, and perhaps an overlay, one of which was changed by this seed."""
    draw = random.Random(seed)  # noqa: S311 - repeatable is what is wanted
    overlay = draw.choice([None, *OVERLAYS])
    file = draw.choice(FILES) if overlay is None else FILES[0]
    change = draw.choice([torn, turned, turned])
    if overlay is not None and draw.random() < 0.5:
        return file, change(overlay, draw)
    return change(file, draw), overlay


def tried(seed: int) -> bool:
    """Whether what this seed gives is let through; it has to hold either way."""
    file, overlay = drawn(seed)
    found = outcome(file, overlay)
    if isinstance(found, Challenge):
        assert parse_challenge(json.loads(json.dumps(found.model_dump(mode="json")))).digest == found.digest
        can_run(found)
        return True
    assert found.problems
    for one in map(str, found.problems):
        assert PROBLEM.fullmatch(one), one
        assert not any(part in one for part in RAW), one
        assert len(one) < 600, one
        assert one.encode()
    return False


def test_whatever_a_file_and_its_overlay_hold_they_can_be_run_or_are_refused_in_words() -> None:
    through = sum(tried(seed) for seed in range(60))
    assert 5 < through < 55, "both are tried"


@pytest.mark.long
def test_the_same_of_thousands() -> None:
    for seed in range(60, 6000):
        tried(seed)
