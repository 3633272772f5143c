"""Run workers played against a real server while a season waits: what claim, heartbeat, output and finish take.

`python -m benchmarks.capacity --pause 10 --done 0.5` plays 200 slots; as one of `python -m benchmarks` it is small.
"""

import json
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Annotated

import httpx
import typer

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.season import ENTRIES, Used, claim_plan, season, used
from benchmarks.support.services import installation, server_process
from contract.leases import Finish, Lease, SlotOffer

_BOUND = 0.5
"""Seconds within which half of all claims are answered at the small size, on a machine with other work."""
_PAUSE = 0.2
_RENEWAL = 7.5
_LOOK = 0.5
_BOARD = "/challenges/fomo26/leaderboards/validation"
_LOOKS = {
    "challenge, page": "/challenges/fomo26",
    "board, page": _BOARD,
    "board, API": f"/api/v1{_BOARD}",
}


@dataclass(frozen=True)
class PlayedWay:
    """How long slots run cases, seconds of each case, bytes of an output, and whether pages are asked for beside it."""

    seconds: float
    pause: float = 0.0
    output: int = 200
    looks: bool = False


@dataclass
class Played:
    """What run workers met: seconds of each answered call by its kind, and how many were told to come again."""

    way: "PlayedWay"
    seconds: float = 0.0
    calls: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    again: int = 0
    before: Used | None = None
    after: Used | None = None
    plan: str = ""

    def quantile(self, call: str, share: float) -> float:
        times = sorted(self.calls[call])
        return times[min(int(len(times) * share), len(times) - 1)]

    def per_case(self, what: str) -> float:
        """What the server or the database has used for each finished case, by a field of `Used`."""
        return float(getattr(self.after, what) - getattr(self.before, what)) / len(self.calls["finish"])


def run() -> list[Comparison]:
    """Eight slots on 6,000 cases for five seconds: the load generator itself, and that no claim waits long."""
    played = play(cases=6_000, slots=8, way=PlayedWay(5))
    claims = Side("a claim over HTTP", tuple(played.calls["claim"]))
    return [Comparison("8 slots, 6,000 cases", claims, Side("the bound", (_BOUND,)), least=1.0)]


def play(*, cases: int, slots: int, way: PlayedWay, done: float = 0.0) -> Played:
    """`slots` slots run cases, out of `cases` of which the share `done` has been finished and the others wait.

    Raises:
        RuntimeError: no case was finished, or a call was refused.
    """
    played = Played(way)
    with installation() as settings:
        token = season(settings, cases // ENTRIES, slots, done)
        played.plan = claim_plan(settings, token)
        with server_process(settings) as (address, process):
            played.before = used(settings, process)
            _all(address, token, slots, played)
            played.after = used(settings, process)
    if not played.calls["finish"]:
        raise RuntimeError("no case was finished")
    return played


def _all(address: str, token: str, slots: int, played: Played) -> None:
    began = time.monotonic()
    until, failed = began + played.way.seconds, list[Exception]()

    def one(number: int) -> None:
        try:
            if number < 0:
                _look(address, until, played)
            else:
                _slot(address, token, number, until, played)
        except Exception as error:  # noqa: BLE001 - a thread's failure is that of the run
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(-played.way.looks, slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    played.seconds = time.monotonic() - began  # cases that had begun were finished
    if failed:
        raise RuntimeError(f"{len(failed)} slots failed") from failed[0]


def _slot(address: str, token: str, number: int, until: float, played: Played) -> None:
    offer = SlotOffer(name=f"slot-{number}", cpus=64, memory=2**40, gpus=1, gpu_memory=2**40)
    headers = {"Authorization": f"Bearer {token}"}
    base = f"{address}/api/v1/worker"
    time.sleep(played.way.pause * random.random())  # noqa: S311 - slots of a season do not end together
    with httpx.Client(base_url=base, headers=headers, timeout=120, trust_env=False) as http:
        while time.monotonic() < until:
            answer = _call(http, played, "claim", "POST", "/leases", json=offer.model_dump(mode="json"))
            if answer.status_code == httpx.codes.NO_CONTENT:
                time.sleep(_PAUSE)
                continue
            _case(http, Lease.model_validate_json(answer.content), played)


def _case(http: httpx.Client, lease: Lease, played: Played) -> None:
    held = {"case_run": str(lease.case_run), "claim_no": lease.claim_no}
    where = f"/leases/{lease.case_run}/{{}}?claim_no={lease.claim_no}"
    left, renewed = played.way.pause, False
    while left > 0 or not renewed:
        time.sleep(min(left, _RENEWAL))
        left = max(left - _RENEWAL, 0.0)
        _call(http, played, "heartbeat", "POST", "/heartbeat", json={"leases": [held]})
        renewed = True
    content = json.dumps({"probability": 0.5}).ljust(played.way.output).encode()
    stored = _call(http, played, "output", "PUT", where.format("output"), content=content)
    finish = Finish(message="valid", seconds=0.1, output=stored.json()["digest"])
    _call(http, played, "finish", "POST", where.format("finish"), json=finish.model_dump(mode="json"))


def _look(address: str, until: float, played: Played) -> None:
    with httpx.Client(base_url=address, timeout=120, trust_env=False) as http:
        while time.monotonic() < until:
            for kind, path in _LOOKS.items():
                _call(
                    http, played, kind, "GET", path, headers={"Accept": "text/html, application/json;q=0.9"}
                )
            time.sleep(_LOOK)


def _call(
    http: httpx.Client, played: Played, kind: str, method: str, path: str, **content: object
) -> httpx.Response:
    while True:
        began = time.perf_counter()
        answer = http.request(method, path, **content)  # type: ignore[arg-type]
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            answer.raise_for_status()
            played.calls[kind].append(time.perf_counter() - began)
            return answer
        played.again += 1
        time.sleep(float(answer.headers.get("Retry-After", 1)))


def main(
    cases: Annotated[int, typer.Option(min=ENTRIES)] = 1_000_000,
    slots: Annotated[int, typer.Option(min=1, max=1_000)] = 200,
    seconds: Annotated[float, typer.Option(min=1)] = 60,
    pause: Annotated[float, typer.Option(min=0, help="Seconds that each case takes.")] = 0,
    done: Annotated[float, typer.Option(min=0, max=1, help="The share that has been finished before.")] = 0,
    output: Annotated[int, typer.Option(min=19, help="Bytes of each output.")] = 200,
    looks: Annotated[bool, typer.Option(help="Ask for pages and a board beside it.")] = False,
    plan: Annotated[bool, typer.Option(help="Show the whole plan of a claim.")] = False,
) -> None:
    """Play run workers, and print what each kind of call took."""
    played = play(cases=cases, slots=slots, way=PlayedWay(seconds, pause, output, looks), done=done)
    for call, times in played.calls.items():
        half, most = played.quantile(call, 0.5) * 1e3, played.quantile(call, 0.99) * 1e3
        typer.echo(
            f"{call}: {len(times) / played.seconds:.1f} a second, p50 {half:.0f} ms, p99 {most:.0f} ms"
        )
    for what in ("server_cpu", "database_cpu"):
        typer.echo(f"{what}: {played.per_case(what) * 1e3:.1f} ms a case")
    for what in ("database", "log"):
        typer.echo(f"{what}: {played.per_case(what):,.0f} B a case")
    typer.echo(f"told to come again: {played.again}; {played.after}")
    typer.echo(
        played.plan if plan else "\n".join(played.plan.splitlines()[:2] + played.plan.splitlines()[-1:])
    )


if __name__ == "__main__":
    typer.run(main)
