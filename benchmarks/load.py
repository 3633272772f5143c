"""What a rush costs: bursts of a thousand requests of each kind, and a steady crowd beside running evaluations.

`python -m benchmarks load` prints both tables of docs/benchmarks.md. Clients, server, database and containers share the
machine, so a server of its own does better.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.crowd import Ask, burst, probed, request
from benchmarks.support.platform import (
    BLANK_MAP,
    PHASE,
    RunningPlatform,
    SubmittingTeam,
    join,
    platform,
    spent,
    write_scans,
)
from benchmarks.support.steady import (
    API,
    BOARD_PHASE,
    UPLOADS,
    UPLOADS_PER_TEAM,
    Member,
    creation,
    crowd,
    memory,
    shown,
)
from client.api import Client
from contract.accounts import Scope
from demo.images import build_image, ensure_base
from evaluator.spec import load_challenge
from server.accounts.models import Account, TokenKind
from server.accounts.tokens import create_worker_token, issue
from server.evaluations.models import CaseRun
from worker.embedded.data import CHECKOUT

COUNT = 1000
CASES, SLOTS = 60, 2
LEAST = 0.9
_TASK, _TRACK = "task4", "method"
_PREDICT = b"import time\ntime.sleep(1)  # as long as a graphics processor would be busy\n" + BLANK_MAP


def run() -> list[Comparison]:
    """Bursts, then cases per minute beside a steady crowd against a quiet run."""
    spec = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml", CHECKOUT / "demo/overlay.yaml")
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as folder:
        top = Path(folder)
        scans = write_scans(top / "Task_4", CASES)
        archive = build_image({"/app/predict.py": _PREDICT}, ensure_base(), name="proctor-bench-load")
        try:
            with platform(SLOTS) as running:
                running.prepare(spec, _TASK, scans)
                team = join(running, spec.challenge, archive)
                team.run(running, _TASK, _TRACK)  # uncounted: it loads the image
                try:
                    return _measure(running, team)
                finally:
                    command = ["docker", "image", "rm", "--force", team.image]
                    subprocess.run(command, check=True, capture_output=True)
        finally:
            archive.unlink()


def _measure(running: RunningPlatform, team: SubmittingTeam) -> list[Comparison]:
    members = [_member(running, team.challenge, number) for number in range(-(-UPLOADS // UPLOADS_PER_TEAM))]
    quiet = _cases(running, team)
    watched = _submit(team)
    console = Console(width=140)
    console.print(_bursts(running, team, _member(running, team.challenge, -1), watched))
    _wait(team, watched)
    lanes = Table("lane", "requests", "answers", "p50", "p99", box=None, pad_edge=False)
    with crowd(running, team, members, watched, lanes), memory(running) as most:
        loaded = _cases(running, team)
    console.print(lanes)
    console.print(f"the server's memory at most: {most[0] / 2**20:.0f} MiB")
    faults, claims = _faults(running)
    console.print(f"faults of cases: {faults}; cases that were leased more than once: {claims}")
    if faults or claims:
        raise RuntimeError("a run worker lost a lease")
    name = f"{CASES} cases on {SLOTS} slots"
    return [Comparison(name, Side("beside the crowd", (loaded,)), Side("quiet", (quiet,)), least=LEAST)]


def _bursts(running: RunningPlatform, team: SubmittingTeam, member: Member, submission: str) -> Table:
    """A thousand of each kind, while an evaluation runs."""
    titles = ("1,000 at once", "answers", "all within", "p50", "p99", "healthz p99", "healthz")
    table = Table(*titles, box=None, pad_edge=False)
    for kind in _kinds(running, team, member, submission):
        with probed(running.url) as health:
            answers = burst(running.url, kind, COUNT)
        table.add_row(
            kind.name,
            answers.shown,
            f"{answers.took:.1f} s",
            shown(answers.percentile(50)),
            shown(answers.percentile(99)),
            shown(health.percentile(99)),
            health.shown,
        )
        time.sleep(1)
    return table


def _kinds(running: RunningPlatform, team: SubmittingTeam, member: Member, submission: str) -> Iterator[Ask]:
    slug = team.challenge
    with running.database() as session:
        worker = create_worker_token(session, "bench")
    board = f"{API}/challenges/{slug}/leaderboards/{BOARD_PHASE}"
    yield request("health", "GET", "/healthz")
    yield request("board, JSON", "GET", board, Accept_Encoding="gzip")
    yield request("board, page", "GET", f"/challenges/{slug}/leaderboards/{BOARD_PHASE}", Accept="text/html")
    yield request("challenge, page", "GET", f"/challenges/{slug}", Accept="text/html")
    yield request("who am I", "GET", f"{API}/me", token=member.token)
    own = str(team.client._http.headers["Authorization"]).removeprefix("Bearer ")
    yield request("a submission", "GET", f"{API}/submissions/{submission}", token=own)
    yield request("submissions", "GET", f"{API}/challenges/{slug}/submissions", token=own)
    wrong = {"email": "nobody@example.org", "password": "a wrong password"}
    yield request("log-in, wrong", "POST", f"{API}/sessions", body=wrong)
    yield request(
        "new token", "POST", f"{API}/tokens", token=member.token, body={"name": "x", "scopes": ["read"]}
    )
    yield creation(slug, member, "new upload")
    yield request("lease, no token", "POST", f"{API}/worker/leases", body=_SLOT)
    yield request("lease, none fits", "POST", f"{API}/worker/leases", body=_SLOT, token=worker)


_SLOT = {"name": "bench", "cpus": 0.01, "memory": 1}


def _member(running: RunningPlatform, slug: str, number: int) -> Member:
    with running.database() as session:
        account = Account(email=f"bench-{number}@example.org", name=f"Bench {number}", password_hash="")
        session.add(account)
        session.flush()
        scopes = [Scope.READ, Scope.SUBMIT]
        token, _ = issue(session, TokenKind.SESSION, name="bench", user_id=account.id, scopes=scopes)
    return Member(token, Client(running.url, token=token).create_team(slug, f"Crowd {number}").id)


def _cases(running: RunningPlatform, team: SubmittingTeam) -> float:
    """Seconds from the first lease to the last finish of one evaluation."""
    took, _ = spent(running, team.run(running, _TASK, _TRACK))
    return took


def _submit(team: SubmittingTeam) -> str:
    images = {_TASK: team.image}
    return team.client.submit(team.challenge, team=team.team, track=_TRACK, phase=PHASE, images=images).id


def _wait(team: SubmittingTeam, submission: str) -> None:
    deadline = time.monotonic() + 600
    while not team.client.submission(submission).ended:
        if time.monotonic() > deadline:
            raise RuntimeError("the evaluation beside the bursts does not end")
        time.sleep(1)


def _faults(running: RunningPlatform) -> tuple[int, int]:
    with running.database() as session:
        faults, again = session.execute(
            select(func.sum(CaseRun.faults), func.count().filter(CaseRun.claim_no > 1))
        ).one()
    return int(faults or 0), int(again)
