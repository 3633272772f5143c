"""A season with something on every page, and the addresses of all pages in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import Result
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from playwright.sync_api import BrowserContext

from server.browser.keys import Keys
from server.evaluations.models import Evaluation
from server.settings import Settings
from server.web.routers import PAGES
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.phantoms import Phantom, nifti, phantom, write
from tests.server.reevaluating import Organizing
from tests.server.seeded import play
from tests.server.test_checkpoints import MISSING, NOT_DECLARED, ONE, declares, verified
from worker.score.consignments import work_off

Voxels = npt.NDArray[np.bool_]
_SIDES = (64, 76, 60)
_WITH_MORE = {
    "/admin/find": "?q=ada",
    "/challenges/{slug}/leaderboards/{phase}": "?track=open&open=Ada",
    "/challenges/{slug}/leaderboards/{phase}/boards/{board}": "?track=open&open=Ada",
    "/challenges/{slug}/leaderboards/{phase}/certainty": "?track=open",
    "/challenges/{slug}/leaderboards/{phase}/tasks/{task}": "?track=open",
    "/challenges/{slug}/leaderboards/{phase}/comparison": "?track=open&board=task2&team=Ada&team=Bob",
    "/organize/{slug}/datasets/{dataset_id}": "?check=true",
    "/organize/{slug}/datasets/{dataset_id}/difference": "?against={other}",
    "/organize/{slug}/teams/{team_id}/decide": "?decision=hide",
    "/organize/{slug}/teams/{team_id}/grant": "?phase=validation&track=open&task=task1&valid=1",
    "/organize/{slug}/phases/{phase}/dates": "?closes=2030-01-01T00:00",
    "/challenges/{slug}/submit/check": "?track=open&phase=validation&team={own}&image.task1={image}",
}


def sign_in(context: BrowserContext, site: str, settings: Settings, person: Person) -> None:
    """Gives a browser the cookie of somebody's session, as signing in does."""
    value = Keys(settings.secret_key.get_secret_value()).signed("proctor_session", person.token)
    context.add_cookies([{"name": "proctor_session", "value": value, "url": site, "httpOnly": True}])


@dataclass(frozen=True)
class Seeded:
    """A season and the ids that addresses in it need: by field, or by the beginning of the address and field."""

    lab: Lab
    ids: dict[str, str]

    def address(self, path: str) -> str:
        """Where a page of this path is, with what it has to be asked to show something."""
        whole = path + _WITH_MORE.get(path, "")
        return re.sub(r"\{(\w+)[^}]*\}", lambda field: self._id(path, field[1]), whole)

    def _id(self, path: str, name: str) -> str:
        own = [value for key, value in self.ids.items() if key == f"{_part(path)} {name}"]
        return own[0] if own else self.ids[name]


def _part(path: str) -> str:
    """Which pages an id belongs to where several have a field of this name."""
    return "/".join(path.split("/")[1:4:2]) if path.startswith("/organize/") else path.split("/")[1]


def pages() -> list[str]:
    """The paths of all pages, as the application's routes have them."""
    routes = [route for router in PAGES for route in router.routes if isinstance(route, APIRoute)]
    found = [
        route.path for route in routes if route.response_class is HTMLResponse and "GET" in route.methods
    ]
    return list(dict.fromkeys(found))


@pytest.fixture
def season(
    lab: Lab,
    entrant: Callable[[str], Entrant],
    admin: Person,
    imported: Callable[..., Result],
    tmp_path: Path,
) -> Seeded:
    """Plays a season: boards, a team of the admin's with a checked case, cases to look at, a re-evaluation to apply."""
    played = play(lab, entrant, admin)
    for name, team in played.teams.items():
        declares(lab, team, {"Ada": verified(ONE), "Bob": MISSING}.get(name, NOT_DECLARED))
    own = lab.entrant(admin.http, "Northern Lights")
    lab.dataset("task5", cases=2, phase="sanity")
    evaluation = own.submit("task5", phase="sanity")
    worker = lab.worker("gpu-1")
    worker.drain(fault="timeout")
    cases = own.http.get(f"/evaluations/{evaluation}/cases").json()
    submission = own.http.get(f"/challenges/{lab.slug}/submissions").json()[-1]
    ids = {
        "slug": lab.slug,
        "phase": "validation",
        "board": "task1",
        "task": "task1",
        "evaluations evaluation_id": evaluation,
        "evaluation_id": played.evaluations["Ada", "task1"],
        "id_": played.evaluations["Ada", "task1"],
        "evaluations case_id": cases[0]["id"],
        "organize/submissions case_id": str(lab.runs(played.evaluations["Ada", "task1"])[0].id),
        "submission_id": submission["id"],
        "user_id": admin.id,
        "team_id": played.teams["Ada"].team,
        "own": own.team,
        "image": own.image,
    }
    ids |= _talk(lab, admin, own) | _organized(lab, admin, imported, tmp_path)
    own.submit("task1")
    return Seeded(lab, ids)


def _talk(lab: Lab, admin: Person, own: Entrant) -> dict[str, str]:
    """A document that was accepted, a question, an invitation, a webhook; their ids."""
    document = {"title": "Terms", "text": "Nobody keeps a scan.", "document": "terms", "before": "submission"}
    agreed = _made(admin, f"/organize/{lab.slug}/agreements", document)
    _made(admin, f"/challenges/{lab.slug}/agreements/{agreed['digest']}/accept", {})
    invitation = _made(admin, f"/teams/{own.team}/invitations", {"expires_in_days": 7})
    _made(admin, f"/challenges/{lab.slug}/questions", {"text": "May the field of view be cut?"})
    workers = admin.http.get("/admin/workers").json()
    worker = next(one for one in workers if one["finished"])
    return {"digest": agreed["digest"], "code": invitation["code"], "worker_id": worker["id"]}


def _organized(lab: Lab, admin: Person, imported: Callable[..., Result], folder: Path) -> dict[str, str]:
    """Cases with voxels, a label that is corrected, and a re-evaluation that turns a board over; their ids."""
    cases = phantom(folder, "task4")
    _headed(cases)
    made = imported(cases)
    assert made.exit_code == 0, made.output
    here = f"/organize/{lab.slug}"
    version = _versions(lab, admin, "task4", "active")[0]
    case = admin.http.get(f"{here}/datasets/{version}/cases").json()[0]["id"]
    sent = _made(
        admin,
        f"{here}/datasets/{version}/corrections",
        {"withdraw": ["sub-04"], "why": "A duplicate.", "accept": True},
    )
    assert work_off(lab.sessions, lab.settings) == 1
    other = _versions(lab, admin, "task4", "staged")[0]
    again = Organizing(lab, admin.http).ready(
        turned,
        why="The label of one case was corrected",
        scope={"tasks": ["task1"], "phases": ["validation"]},
    )
    return {
        "dataset_id": version,
        "other": other,
        "organize/datasets case_id": case,
        "consignment_id": str(sent["id"]),
        "reevaluation_id": again,
    }


def _headed(made: Phantom) -> None:
    """Gives the first case voxels in which a head, its ventricles and a labelled nerve on each side are seen."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, side) for side in _SIDES), indexing="ij")

    def inside(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Voxels:
        parts = zip((x, y, z), centre, radii, strict=True)
        return sum(((at - middle) / radius) ** 2 for at, middle, radius in parts) < 1

    skull, brain = inside((0, 0, 0), (0.85, 0.9, 0.85)), inside((0, 0, 0), (0.75, 0.8, 0.75))
    noise = np.random.default_rng(0).normal(0, 12, x.shape)
    volume = 250 * skull + 350 * brain + 120 * (np.sin(9 * x) * np.cos(11 * y) * np.sin(8 * z) > 0.2) * brain
    labels = np.zeros(x.shape, np.int16)
    for side in (-1, 1):
        volume[inside((0.18 * side, 0.05, 0.1), (0.1, 0.35, 0.2))] = 150
        for label, depth in ((1, -0.25), (2, -0.42)):
            block = inside((0.3 * side, 0.1, depth), (0.07, 0.22, 0.06))
            labels[block], volume[block] = label, 800
    for file in made.inputs(1).iterdir():
        write(file, nifti(np.clip(volume + noise * skull, 0, None).astype(np.int16)))
    write(made.labels(1) / "seg.nii.gz", nifti(labels))


def turned(evaluation: Evaluation) -> float:
    """Another value for each team, in an order that has nothing to do with that of before."""
    return 0.3 + int(evaluation.team_id.hex[-6:], 16) % 60 / 100


def _versions(lab: Lab, admin: Person, task: str, state: str) -> list[str]:
    rows: list[dict[str, Any]] = admin.http.get(f"/admin/challenges/{lab.slug}/datasets").json()
    return [str(row["id"]) for row in rows if (row["task"], row["state"]) == (task, state)]


def _made(somebody: Person, path: str, body: Json) -> Json:
    answer = somebody.http.post(path, json=body)
    assert answer.is_success, f"{path}: {answer.text}"
    return dict(answer.json())
