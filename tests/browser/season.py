"""A season with something on every page, and the addresses of all pages in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from tests.server.phantoms import phantom
from tests.server.reevaluating import Organizing
from tests.server.seeded import play
from worker.score.consignments import work_off

COMPARED = ("Ada", "Bob")
_WITH_MORE = {
    "/admin/find": "?q=ada",
    "/challenges/{slug}/leaderboards/{phase}/comparison": "?track=open&board=task2&team=Ada&team=Bob",
    "/organize/{slug}/datasets/{dataset_id}": "?check=true",
    "/organize/{slug}/datasets/{dataset_id}/difference": "?against={other}",
    "/organize/{slug}/teams/{team_id}/decide": "?decision=hide&why=They+asked+for+it.",
    "/organize/{slug}/teams/{team_id}/grant": "?phase=validation&track=open&task=task1&valid=1&why=A+cut.",
    "/organize/{slug}/phases/{phase}/dates": "?closes=2030-01-01T00:00",
    "/organize/{slug}/submissions/{evaluation_id}/void": "?why=A+mistake+of+ours.",
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


def seed(
    lab: Lab,
    entrant: Callable[[str], Entrant],
    admin: Person,
    imported: Callable[..., Result],
    folder: Path,
) -> Seeded:
    """Plays a season: boards, a team of the admin's with a checked case, cases to look at, a re-evaluation to apply."""
    season = play(lab, entrant, admin)
    own = lab.entrant(admin.http, "Of the admin")
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
        "evaluation_id": season.evaluations["Ada", "task1"],
        "id_": season.evaluations["Ada", "task1"],
        "evaluations case_id": cases[0]["id"],
        "organize/submissions case_id": str(lab.runs(season.evaluations["Ada", "task1"])[0].id),
        "submission_id": submission["id"],
        "user_id": admin.id,
        "team_id": season.teams["Ada"].team,
        "own": own.team,
        "image": own.image,
    }
    ids |= _talk(lab, admin, own) | _organized(lab, admin, imported, folder)
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
    made = imported(phantom(folder, "task4"))
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
    again = Organizing(lab, admin.http).ready(turned, scope={"tasks": ["task1"], "phases": ["validation"]})
    return {
        "dataset_id": version,
        "other": other,
        "organize/datasets case_id": case,
        "consignment_id": str(sent["id"]),
        "reevaluation_id": again,
    }


def turned(evaluation: Evaluation) -> float:
    """Another value for each team, in an order that has nothing to do with that of before."""
    return 0.3 + int(evaluation.team_id.hex[:4], 16) % 60 / 100


def _versions(lab: Lab, admin: Person, task: str, state: str) -> list[str]:
    rows: list[dict[str, Any]] = admin.http.get(f"/admin/challenges/{lab.slug}/datasets").json()
    return [str(row["id"]) for row in rows if (row["task"], row["state"]) == (task, state)]


def _made(somebody: Person, path: str, body: Json) -> Json:
    answer = somebody.http.post(path, json=body)
    assert answer.is_success, f"{path}: {answer.text}"
    return dict(answer.json())
