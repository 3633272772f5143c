"""What tests of re-evaluations share: a challenge with scored teams, and asking for one over HTTP."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from evaluator.scoring import MetricReport
from server.database import unit_of_work
from server.evaluations import scoring
from server.evaluations.models import Evaluation
from tests.server.lab import Entrant, Json, Lab
from tests.server.seeded import report
from worker.score.reevaluations import advance_ended

Value = Callable[[Evaluation], float]


def made(value: float) -> MetricReport:
    spread = np.linspace(-0.05, 0.05, 20) + value
    return MetricReport(value=value, low=value - 0.05, high=value + 0.05, replicates=tuple(spread.tolist()))


def score_all(lab: Lab, value: Value) -> int:
    """Scores everything that waits for it; how many."""
    count = 0
    while True:
        with unit_of_work(lab.sessions) as session:
            claimed = scoring.claim(session)
            if claimed is None:
                return count
            claim, scored = (claimed.id, claimed.scoring_claim_no), value(claimed)
            bases = scoring.bases(claimed.spec_version.spec, claimed.task)
        with unit_of_work(lab.sessions) as session:
            reports = {claimed.task: report(claimed.task, auroc=made(scored))}
            scoring.settle(session, *claim, reports, scored_with=bases, settings=lab.settings)
        count += 1


def tick(lab: Lab) -> None:
    """What the score workers' clock does for re-evaluations."""
    advance_ended(lab.sessions, lab.settings)


@dataclass(frozen=True)
class Organizing:
    """Re-evaluations of the lab's challenge, asked for over HTTP."""

    lab: Lab
    http: httpx.Client

    def ask(self, method: str, path: str = "", **arguments: Any) -> httpx.Response:
        address = f"/organize/{self.lab.slug}/reevaluations{path}"
        return self.http.request(method, address, **arguments)

    def draft(self, *, mode: str = "rescore", **wanted: Any) -> Json:
        answer = self.ask("POST", json={"mode": mode, "why": "a wrong label", **wanted})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def do(self, id_: str, what: str, code: int = 200, **body: Any) -> Json:
        answer = self.ask("POST", f"/{id_}/{what}", json=body or None)
        assert answer.status_code == code, answer.text
        return dict(answer.json())

    def get(self, id_: str, what: str = "") -> Json:
        answer = self.ask("GET", f"/{id_}{what}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ready(self, value: Value, **wanted: Any) -> str:
        """One that is ready, with every evaluation scored so; its id."""
        id_ = str(self.draft(**wanted)["id"])
        self.do(id_, "start")
        self.lab.worker().drain()
        score_all(self.lab, value)
        tick(self.lab)
        assert self.get(id_)["state"] == "ready", self.get(id_)
        return id_

    def apply(self, id_: str) -> Json:
        return self.do(id_, "apply", digest=self.get(id_, "/preview")["digest"])


_NOW = re.compile(rb'"at":"[^"]*"|urn:proctor:request:[0-9a-f]+')


def without_now(content: bytes) -> bytes:
    """An answer without the moment at which it was made, and the id of its request."""
    return _NOW.sub(b"", content)


def seen(
    lab: Lab, teams: Mapping[str, Entrant], nobody: httpx.Client, admin: httpx.Client
) -> dict[str, bytes]:
    """Everything that participants and the public can look at, and the admins' board, byte for byte."""
    board, listed = f"/challenges/{lab.slug}/leaderboards/validation", f"/challenges/{lab.slug}/submissions"
    root = f"http://{nobody.base_url.netloc.decode()}"
    public = (board, f"{board}.csv", f"{root}{board}", f"{root}/challenges/{lab.slug}")
    addresses = [(nobody, path) for path in public]
    addresses += [(admin, board), (admin, "/admin/teams?challenge=" + lab.slug)]
    for team in teams.values():
        own = f"/teams/{team.team}"
        paths = [listed, f"/challenges/{lab.slug}/quota", f"{own}/storage", f"{own}/images"]
        for submission in team.http.get(listed).json():
            paths.append(f"/submissions/{submission['id']}")
            for evaluation in submission["evaluations"]:
                where = f"/evaluations/{evaluation['id']}"
                paths += [where, f"{where}/cases"]
        addresses += [(team.http, path) for path in paths]
    return {
        f"{number} {path}": without_now(http.get(path).content)
        for number, (http, path) in enumerate(addresses)
    }


def require_the_way_back(
    lab: Lab,
    organizing: Organizing,
    id_: str,
    digest: str,
    looks: Callable[[], dict[str, bytes]],
    before: dict[str, bytes],
) -> None:
    """What was applied is so once, and reverted once; then everything but the pages that tell of it is as it was."""
    assert organizing.do(id_, "apply", 409, digest=digest)["code"] == "already_applied"
    assert organizing.do(id_, "revert", why="it was right")["changed"] == 3
    after = looks()
    changed = {
        what.partition("http://")[2].partition("/")[2] for what in before if after[what] != before[what]
    }
    at = f"challenges/{lab.slug}"
    assert at in changed <= {at, f"{at}/leaderboards/validation"}, "pages alone, which tell of both"
    told = organizing.http.get(f"/challenges/{lab.slug}/amendments").json()
    assert [one["why"] for one in told] == ["it was right", None]
    assert organizing.do(id_, "apply", 409, digest=digest)["code"] == "already_applied"
    assert organizing.do(id_, "revert", 409, why="again")["code"] == "not_applied"
