"""The page that says what an image has to do: whole without the source, and true."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from contract import run_words, skeleton
from evaluator.outputs import check_output
from evaluator.spec import Challenge, load_challenge
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from tests.server.browsing import browsing, require_sound

_CHALLENGES = Path(__file__).parents[2] / "challenges"
_SPECS = {path.parent.name: load_challenge(path) for path in sorted(_CHALLENGES.glob("*/challenge.yaml"))}
_TASKS = [(slug, task) for slug, spec in _SPECS.items() for task in spec.tasks]


def scan(path: Path) -> None:
    """An image of the kind that its name says."""
    if path.name.endswith((".nii", ".nii.gz")):
        empty = nibabel.Nifti1Image(np.zeros((4, 5, 6), dtype="int16"), np.eye(4))
        nibabel.save(empty, path)
    else:
        path.write_bytes(b"not looked at")


@pytest.mark.parametrize(("slug", "name"), _TASKS)
def test_the_program_of_the_page_answers_validly_to_the_call_of_the_page(
    slug: str, name: str, tmp_path: Path
) -> None:
    task = _SPECS[slug].tasks[name]
    written, script = tmp_path / f"CASE{task.output.suffix}", tmp_path / "predict.py"
    inputs = {one.key: tmp_path / one.file for one in task.all_inputs}
    for path in inputs.values():
        scan(path)
    program = skeleton.program(task)
    assert program is not None, "every kind of the challenges here has one"
    script.write_text(program)
    flags = shlex.split(run_words.call_of(task))[len(task.call or ["ENTRYPOINT"]) :]
    moved = [one.replace("/input/", f"{tmp_path}/").replace("/output/", f"{tmp_path}/") for one in flags]
    subprocess.run([sys.executable, script, *moved], check=True, env={**os.environ}, timeout=120)
    result = check_output(task, written, inputs)
    assert result.valid, result


@pytest.mark.parametrize(("slug", "name"), _TASKS)
def test_each_kind_says_what_counts_and_leaves_no_field_of_a_range_out(slug: str, name: str) -> None:
    output = _SPECS[slug].tasks[name].output
    said = " ".join([run_words.short(output), *run_words.whole(output)])
    for field in ("minimum", "maximum", "unit"):
        bound = getattr(output, field, None)
        if bound is not None:
            assert (
                f"{bound:g}" if isinstance(bound, float) else {"mm": "millimetres"}.get(bound, bound)
            ) in said
    for field in ("labels", "classes", "names"):
        for one in getattr(output, field, ()):
            assert str(one) in said


def test_whoever_knows_nothing_reads_the_call_the_output_and_the_limits(
    served: tuple[str, SessionFactory], slug: str
) -> None:
    with browsing(served[0]) as browser:
        shown = require_sound(browser.get(f"/challenges/{slug}/take-part"))
    for words in (
        "python /app/predict.py --flair /input/flair.nii.gz --dwi /input/dwi.nii.gz --adc /input/adc.nii.gz "
        "--t2s /input/t2s.nii.gz --output /output/CASE.txt",
        "A case has --t2s or --swi: it gets the first of them that it has.",
        "It has to be a number from 0 to 1; any other is output_invalid:range.",
        "A number, in years (.txt).",
        "There is no network",
        "ARG BASE=python:3.11-slim",
        f"proctor init my-submission --task task1 --challenge {slug}",
        f'href="/challenges/{slug}/submit"',
        f'href="/register?then=/challenges/{slug}/take-part"',
        "The archive that you send may have 200 MiB at most",
    ):
        assert words in shown, words
    assert shown.count('<td class="text">120 s</td>') == 1, "limits of all tasks are said once"


def test_its_links_lead_somewhere_and_a_challenge_s_page_leads_to_it(
    served: tuple[str, SessionFactory], slug: str
) -> None:
    with browsing(served[0]) as browser:
        here = f"/challenges/{slug}"
        overview = require_sound(browser.get(here))
        assert "a number from 0 to 1 (.txt)" in overview
        assert f'href="{here}/take-part#task1"' in overview
        assert f'<a href="{here}/submit">in your browser</a>' in overview
        assert "baseline_model" not in overview
        shown = browser.get(f"{here}/take-part").text
        links = {part.split('"')[0].split("#")[0] for part in shown.split('href="/')[1:]}
        for link in sorted(links - {""}):
            answer = browser.get(f"/{link}".replace("&amp;", "&"))
            assert answer.status_code in (200, 303), link


def test_what_a_task_says_of_itself_stands_with_the_task(
    served: tuple[str, SessionFactory], fomo26: Challenge
) -> None:
    """Limits of its own, and a program that is the image's own ENTRYPOINT."""
    first = fomo26.tasks["task1"]
    own = first.model_copy(
        update={"call": None, "limits": fomo26.limits.model_copy(update={"seconds_per_case": 77})}
    )
    spec = fomo26.model_copy(update={"challenge": "own-limits", "tasks": {**fomo26.tasks, "task1": own}})
    with unit_of_work(served[1]) as session:
        apply(session, spec, actor="tests")
    with browsing(served[0]) as browser:
        shown = require_sound(browser.get("/challenges/own-limits/take-part"))
    assert "77 s" in shown
    assert "ENTRYPOINT-OF-YOUR-IMAGE --flair" in shown
    assert "ENTRYPOINT [&#34;python&#34;, &#34;/app/predict.py&#34;]" in shown
