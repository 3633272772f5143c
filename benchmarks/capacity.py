"""Run workers played against a real server while a season waits: what claim, heartbeat, output and finish take.

`python -m benchmarks.capacity --cases 1000000 --slots 200 --seconds 120`; as one of `python -m benchmarks` it is small.
"""

import os
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import httpx
import psycopg
import typer

from benchmarks.support.compare import Comparison, Side
from benchmarks.support.services import installation, server_process
from benchmarks.support.waiting import fill
from contract.leases import Finish, Lease, SlotOffer
from server.accounts.tokens import create_worker_token
from server.database import unit_of_work
from server.settings import Settings
from server.tables import open_database

ENTRIES = 60
_BOUND = 0.5
"""Seconds within which half of all claims are answered at the small size, on a machine with other work."""
_OUTPUT = b'{"probability":0.5}'.ljust(200)
_PAUSE = 0.2
_CASES = """
INSERT INTO cases SELECT made.* FROM cases AS old, generate_series(1, %s - 1) AS n, LATERAL jsonb_populate_record(
    old, jsonb_build_object('id', gen_random_uuid(), 'ordinal', n, 'name', 'sub-' || n)) AS made
"""
_RUNS = """
INSERT INTO case_runs SELECT made.* FROM case_runs AS old, cases, LATERAL jsonb_populate_record(
    old, jsonb_build_object('id', gen_random_uuid(), 'case_id', cases.id, 'position', cases.ordinal,
                            'pseudonym', 'case_' || cases.ordinal)) AS made
WHERE cases.ordinal > 0
"""


@dataclass
class Played:
    """What run workers met: seconds of each answered call by its kind, and how many were told to come again."""

    seconds: float
    calls: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    again: int = 0
    server_cpu: float = 0.0
    database: tuple[int, int] = (0, 0)

    def quantile(self, call: str, share: float) -> float:
        times = sorted(self.calls[call])
        return times[min(int(len(times) * share), len(times) - 1)]


def run() -> list[Comparison]:
    """Eight slots on 6,000 cases for five seconds: the load generator itself, and that no claim waits long."""
    played = play(cases=6_000, slots=8, seconds=5)
    claims = Side("a claim over HTTP", tuple(played.calls["claim"]))
    return [Comparison("8 slots, 6,000 cases", claims, Side("the bound", (_BOUND,)), least=1.0)]


def play(*, cases: int, slots: int, seconds: float) -> Played:
    """`slots` slots run cases that take no time, out of `cases` that wait, for so long.

    Raises:
        RuntimeError: no case was finished, or a call was refused.
    """
    with installation() as settings:
        token = _filled(settings, cases // ENTRIES, slots)
        url = settings.database_url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url, autocommit=True) as database:
            before = _size(database)
            with server_process(settings) as (address, process):
                played, spent = Played(seconds), _cpu(process)
                _all(address, token, slots, played)
                played.server_cpu = _cpu(process) - spent
            played.database = before, _size(database)
    if not played.calls["finish"]:
        raise RuntimeError("no case was finished")
    return played


def _filled(settings: Settings, each: int, slots: int) -> str:
    sessions = open_database(settings.database_url, pool_size=1)
    with unit_of_work(sessions) as session:
        fill(session, ENTRIES, 1)
        token = create_worker_token(session, "capacity", slots=slots)
    sessions.kw["bind"].dispose()
    url = settings.database_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(_CASES, [each])
        database.execute(_RUNS)
        database.execute("UPDATE evaluations SET remaining = %s", [each])
        database.execute("VACUUM ANALYZE")
    return token


def _all(address: str, token: str, slots: int, played: Played) -> None:
    began = time.monotonic()
    until, failed = began + played.seconds, list[Exception]()

    def one(number: int) -> None:
        try:
            _slot(address, token, number, until, played)
        except Exception as error:  # noqa: BLE001 - a thread's failure is that of the run
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(slots)]
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
    _call(http, played, "heartbeat", "POST", "/heartbeat", json={"leases": [held]})
    stored = _call(http, played, "output", "PUT", where.format("output"), content=_OUTPUT)
    finish = Finish(message="valid", seconds=0.1, output=stored.json()["digest"])
    _call(http, played, "finish", "POST", where.format("finish"), json=finish.model_dump(mode="json"))


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


def _size(database: psycopg.Connection) -> int:
    row = database.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(
    cases: Annotated[int, typer.Option(min=ENTRIES)] = 1_000_000,
    slots: Annotated[int, typer.Option(min=1, max=1_000)] = 200,
    seconds: Annotated[float, typer.Option(min=1)] = 120,
) -> None:
    """Play run workers, and print what each kind of call took."""
    played = play(cases=cases, slots=slots, seconds=seconds)
    for call, times in played.calls.items():
        half, most = played.quantile(call, 0.5) * 1e3, played.quantile(call, 0.99) * 1e3
        typer.echo(
            f"{call}: {len(times) / played.seconds:.1f} a second, p50 {half:.0f} ms, p99 {most:.0f} ms"
        )
    typer.echo(f"server: {played.server_cpu / len(played.calls['finish']) * 1e3:.1f} ms of processor a case")
    typer.echo(
        f"told to come again: {played.again}; database: {played.database[0]:,} to {played.database[1]:,} B"
    )


if __name__ == "__main__":
    typer.run(main)
