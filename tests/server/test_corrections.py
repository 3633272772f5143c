"""Cases that organizers correct over HTTP: another version, its difference, and the entries brought over."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest
from click.testing import Result
from sqlalchemy import select

from contract.organizers import Role
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.models import Dataset
from server.events import Event
from server.organizers.models import ChallengeRole
from server.settings import Settings
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.organizer import Admin, ended, files_of, refused, words
from tests.server.phantoms import SIDE, nifti, phantom
from tests.server.reevaluating import Organizing, score_all
from tests.server.test_leaderboard import board, entries


@pytest.fixture
def organizer(lab: Lab, person: Callable[..., Person]) -> httpx.Client:
    """Somebody who organizes the lab's challenge, and is no admin."""
    somebody = person("Olga")
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        session.add(
            ChallengeRole(
                challenge_id=challenge.id, user_id=UUID(somebody.id), role=Role.ORGANIZER, named_by="tests"
            )
        )
    return somebody.http


def versions(http: httpx.Client, lab: Lab, task: str) -> dict[str, Json]:
    """The versions of the cases by state; of several in one the newest."""
    rows = http.get(f"/admin/challenges/{lab.slug}/datasets?task={task}").json()
    return {row["state"]: row for row in reversed(rows)}


WRONG = (
    ({"withdraw": ["sub-99"]}, "unknown_case", "sub-99"),
    ({"cases": [{"case": "sub-01", "label": 1}]}, "nothing_corrected", "change nothing"),
    ({}, "nothing_corrected", "change nothing"),
    ({"cases": [{"case": "sub-01", "label": 7}]}, "cases_refused", "sub-01"),
    ({"cases": [{"case": "sub-01", "age": "89+"}]}, "cases_refused", "'89+' is no number of years"),
    ({"withdraw": [f"sub-0{number}" for number in range(1, 9)]}, "cases_refused", "every case"),
    ({"withdraw": ["sub-01"], "cases": [{"case": "sub-01", "label": 0}]}, "invalid_request", "sub-01"),
)
"""What is refused, and how: what is sent, the code, and part of the sentence."""


def nothing_since(lab: Lab, nobody: httpx.Client) -> None:
    """Holds Ada's entry to being no older than the amendment that tells of the cases that it was scored on."""
    amended = nobody.get(f"/challenges/{lab.slug}/amendments").json()
    told = next(one for one in amended if one["task"] == "task5")
    assert "another version of the cases counts (7 cases)" in told["what"]
    asked = {"track": "open", "team": "Ada"}
    behind = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation/entry", params=asked).json()
    (entry,) = (one for one in behind["boards"] if one["board"] == "task5")
    assert datetime.fromisoformat(entry["anew_at"]) >= datetime.fromisoformat(told["at"])
    assert entry["amended"] == [], "what came with it is not since it"


def test_a_corrected_label_and_a_withdrawn_case_come_into_force_with_the_entries_scored_again(
    imported: Callable[..., Result],
    lab: Lab,
    entrant: Callable[[str], Entrant],
    organizer: httpx.Client,
    nobody: httpx.Client,
    settings: Settings,
    tmp_path: Path,
) -> None:
    imported(phantom(tmp_path, "task5", cases=8))
    teams = {name: entrant(name) for name in ("Ada", "Bob")}
    for team in teams.values():
        team.submit()
    lab.worker().drain()
    score_all(lab, lambda evaluation: 0.9 if str(evaluation.team_id) == teams["Ada"].team else 0.8)
    old, before = versions(organizer, lab, "task5")["active"], files_of(settings)
    path = f"/organize/{lab.slug}/datasets/{old['id']}"
    for wanted, code, said in WRONG:
        answer = organizer.post(f"{path}/corrections", json={"why": "wrong", **wanted})
        assert said in refused(lab, organizer, answer, code)
    assert files_of(settings) == before

    wanted = {
        "why": "a reader mixed them up",
        "withdraw": ["sub-08"],
        "cases": [{"case": "sub-01", "label": 0}, {"case": "sub-02", "sex": "female", "age": 45}],
    }
    answer = organizer.post(f"{path}/corrections", json={**wanted, "accept": True})
    made = ended(lab, organizer, answer)["made"]
    changed = {"added": [], "removed": ["sub-08"], "voxels": [], "labels": ["sub-01"], "groups": ["sub-02"]}
    told = organizer.get(f"/organize/{lab.slug}/datasets/{made['id']}/difference").json()
    assert made["difference"] == changed == told
    assert (made["state"], made["new"], made["cases"]) == ("staged", True, 7)
    assert made["effect"]["leave"] == 2
    assert f"reevaluate {lab.slug} --mode rescore --on {made['digest'][7:19]}" in made["advice"]
    with unit_of_work(lab.sessions) as session:
        folders = [session.get_one(Dataset, UUID(one["id"])).folder for one in (old, made)]
        made_here = Event.subject_id == UUID(made["id"]), Event.new.is_not(None)
        why = session.scalars(select(Event.why).where(*made_here)).all()
    files = [next((settings.inputs / folder / "sub-01").iterdir()) for folder in folders]
    assert files[0].samefile(files[1]), "images are shared"
    assert len(why) == 1
    assert why[0].endswith("a reader mixed them up")

    organizing = Organizing(lab, organizer)
    id_ = organizing.ready(
        lambda evaluation: 0.7 if str(evaluation.team_id) == teams["Ada"].team else 0.75,
        datasets=[made["id"]],
    )
    organizing.apply(id_)
    assert versions(organizer, lab, "task5")["active"]["id"] == made["id"]
    ranks = {name: entry["rank"] for name, entry in entries(board(nobody, lab)).items()}
    assert ranks == {"Bob": 1, "Ada": 2}
    nothing_since(lab, nobody)


def test_a_label_map_is_corrected_by_its_file(
    imported: Callable[..., Result], lab: Lab, organizer: httpx.Client, settings: Settings, tmp_path: Path
) -> None:
    imported(made := phantom(tmp_path, "task2"))
    old, before = versions(organizer, lab, "task2")["active"], files_of(settings)
    path = f"/organize/{lab.slug}/datasets/{old['id']}/labels/sub-01"
    shape = (SIDE,) * 3
    there = (made.labels(1) / "seg.nii.gz").read_bytes()
    for content, code, said in (
        (nifti(np.full(shape, 7, np.int16)), "cases_refused", "sub-01"),
        (nifti(np.ones((2, 2, 2), np.int16)), "cases_refused", "sub-01"),
        (b"not an image", "cases_refused", "sub-01.nii.gz: is neither NIfTI nor gzip"),
        (there, "nothing_corrected", "change nothing"),
        (nifti(np.zeros(shape, np.int16)), "cases_odd", "empty"),
    ):
        answer = organizer.put(path, params={"why": "drawn anew"}, content=content)
        assert said in refused(lab, organizer, answer, code)
    assert files_of(settings) == before
    mask = np.zeros(shape, np.int16)
    mask[2:5, 2:5, 2:5] = 1
    answer = organizer.put(path, params={"why": "drawn anew"}, content=nifti(mask))
    made_anew = ended(lab, organizer, answer)["made"]
    assert made_anew["difference"]["labels"] == ["sub-01"]
    assert "activate-dataset" in made_anew["advice"]
    row = versions(organizer, lab, "task2")["staged"]
    freed = organizer.delete(f"/admin/datasets/{row['id']}").json()["freed"]
    assert 0 < freed < row["size"] / 2, "what the version in force shares stays"
    assert files_of(settings) == before


def test_a_command_corrects_in_one_go_and_leaves_no_version_in_between(
    imported: Callable[..., Result],
    command: Admin,
    lab: Lab,
    organizer: httpx.Client,
    settings: Settings,
    tmp_path: Path,
) -> None:
    imported(phantom(tmp_path, "task2", cases=5))
    old, before = versions(organizer, lab, "task2")["active"], files_of(settings)
    mask = np.zeros((SIDE,) * 3, np.int16)
    for number in (1, 2):
        mask[2:5, 2:5, number] = 1
        (tmp_path / f"{number}.nii.gz").write_bytes(nifti(mask))
    call = ["correct-dataset", old["digest"][7:15], "--challenge", lab.slug, "--why", "drawn anew"]
    wrong = ["--withdraw", "sub-05", "--label-file", f"sub-99={tmp_path / '1.nii.gz'}"]
    for more, said in (
        ([], "Say what to correct"),
        (["--label", "sub-01"], "write --label CASE=VALUE"),
        (["--group", "sub-01:shoes=44"], "with one of sex, age, site, scanner, cohort"),
        (["--label-file", f"sub-01={tmp_path / 'none'}"], "No such file"),
        (wrong, "has no case sub-99"),
    ):
        refused = command(*call, *more)
        assert refused.exit_code == 1
        assert said in words(refused), refused.output
    assert files_of(settings) == before
    more = ["--withdraw", "sub-05", "--group", "sub-03:sex=O"]
    for number in (1, 2):
        more += ["--label-file", f"sub-0{number}={tmp_path / f'{number}.nii.gz'}"]
    made = words(command(*call, *more, "--accept"))
    for said in (
        "1 case removed: sub-05",
        "2 cases with another label: sub-01, sub-02",
        "1 case with other groups: sub-03",
        "is staged, 4 cases",
    ):
        assert said in made
    staged = versions(organizer, lab, "task2")["staged"]
    assert len(list((settings.references / lab.slug / "validation" / "task2").iterdir())) == 2
    again = command(*call, *more, "--accept", "--yes")
    assert "In force; no evaluation is concerned" in words(again)
    assert versions(organizer, lab, "task2")["active"]["id"] == staged["id"]
