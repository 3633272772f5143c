"""Every change of a status has its event, whichever way it comes; and SQL moves only along the tables of moves."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

import server
from contract.notices import DeliveryStatus
from contract.statuses import CaseStatus, EvaluationStatus, Mode, UploadStatus
from evaluator.verdicts import PlatformFault
from server.database import Base, unit_of_work
from server.datasets.models import DATASET_MOVES, Dataset, DatasetState
from server.evaluations import service
from server.evaluations.models import CaseRun
from server.evaluations.status import CASE_MOVES, EVALUATION_MOVES
from server.events import PLATFORM, Event
from server.queue.claim import STATEMENT
from server.uploads import checks
from server.uploads.models import UPLOAD_MOVES, Upload
from server.uploads.service import expire_uploads
from server.uploads.stored import Allowed
from server.versions import service as versions
from tests.facts import image_facts
from tests.server.conftest import Person, Tus
from tests.server.lab import Entrant, FakeWorker, Json, Lab
from tests.server.test_faults import BROKEN
from tests.server.test_retry import end, put_back
from tests.server.test_scoring_faults import claimed, fail, turn

Change = tuple[str, UUID, str, str]
TABLES = {
    "evaluations": ("evaluation", "status"),
    "case_runs": ("case_run", "status"),
    "uploads": ("upload", "status"),
    "datasets": ("dataset", "state"),
}


@pytest.fixture
def unused(lab: Lab) -> UUID:
    """A version of the cases that another one superseded."""
    first = lab.dataset(cases=3)
    lab.dataset()
    return first


@pytest.fixture
def changes(lab: Lab, unused: UUID) -> Iterator[Callable[[], Counter[Change]]]:
    """What the database itself saw change since now, by row."""
    see = (
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES "
        "(TG_ARGV[0], NEW.id, to_jsonb(OLD)->>TG_ARGV[1], to_jsonb(NEW)->>TG_ARGV[1]); RETURN NULL; END $$"
    )
    make = ["CREATE TABLE seen (subject text, subject_id uuid, old text, new text)", see]
    for table, (subject, column) in TABLES.items():
        make.append(
            f"CREATE TRIGGER see AFTER UPDATE ON {table} FOR EACH ROW "
            f"WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION see('{subject}', '{column}')"
        )
    drop = ["DROP FUNCTION see() CASCADE", "DROP TABLE seen"]

    def seen() -> Counter[Change]:
        with unit_of_work(lab.sessions) as session:
            rows = session.execute(text("SELECT subject, subject_id, old, new FROM seen"))
            return Counter((subject, subject_id, old, new) for subject, subject_id, old, new in rows)

    with unit_of_work(lab.sessions) as session:
        for statement in make:
            session.execute(text(statement))
    yield seen
    with unit_of_work(lab.sessions) as session:
        for statement in drop:
            session.execute(text(statement))


def told(lab: Lab, since: UUID | None) -> list[Event]:
    """The changes of status that the event log has, after the event `since`."""
    query = select(Event).where(Event.old.is_not(None)).order_by(Event.id)
    with unit_of_work(lab.sessions) as session:
        return list(session.scalars(query if since is None else query.where(Event.id > since)))


def last_event(lab: Lab) -> UUID | None:
    with unit_of_work(lab.sessions) as session:
        return session.scalar(select(Event.id).order_by(Event.id.desc()).limit(1))


def invoked(lab: Lab, worker: FakeWorker, *leases: Json) -> None:
    """The cases ran in one container for several, and the last one differed where it was repeated."""
    with unit_of_work(lab.sessions) as session:
        own = CaseRun.id.in_([UUID(lease["case_run"]) for lease in leases])
        session.execute(update(CaseRun).where(own).values(mode=Mode.INVOKE))
    for number, lease in enumerate(leases, 1):
        body = {"fault": None, "check": None, "message": "", "seconds": 1.0, "output": worker.output(lease)}
        body |= {"receipt": {"invoke": True}, "repeat_agrees": number < len(leases)}
        assert worker.call("POST", lease, "finish", json=body).status_code == 204


def settle(lab: Lab, *, rejected: str | None) -> None:
    claim = claimed(lab)
    assert claim is not None
    with unit_of_work(lab.sessions) as session:
        evaluation = service.lock_evaluation(session, claim[0])
        if rejected is None:
            evaluation.move_to(session, EvaluationStatus.SCORED, actor=PLATFORM)
        else:
            service.reject(session, evaluation, actor=PLATFORM, code="run_invalid", why=rejected)


def walk(lab: Lab, team: Entrant, admin: Person, seed: int) -> None:
    """Many evaluations at once, each step at random among what a worker, an admin and the clock do."""
    draw = random.Random(seed)  # noqa: S311
    worker, held, known = lab.worker(), list[Json](), list[str]()

    def submit() -> None:
        answer = team.post("task5")
        known.extend(one["id"] for one in answer.json().get("evaluations", ()))

    def lease() -> None:
        found = worker.lease()
        held.extend([] if found is None else [found])

    def with_one(do: Callable[[Json], object]) -> Callable[[], object]:
        return lambda: held and do(held.pop(draw.randrange(len(held))))

    def cancel() -> None:
        if known:
            team.http.post(f"/evaluations/{draw.choice(known)}/cancel")

    def errored() -> None:
        active = [one for one in known if team.evaluation(one)["status"] in ("queued", "running", "scoring")]
        if active:
            end(lab, draw.choice(active))

    steps: list[Callable[[], object]] = [
        submit,
        *[lease] * 6,
        *[with_one(lambda one: worker.finish(one))] * 4,
        with_one(lambda one: worker.finish(one, fault="exit_code")),
        with_one(lambda one: worker.release(one)),
        with_one(lambda one: worker.release(one, BROKEN)),
        with_one(lambda one: lab.expire(one)),
        lab.unpark,
        cancel,
        errored,
        lambda: [put_back(admin, one) for one in known],
    ]
    for _ in range(60):
        draw.choice(steps)()


def test_each_change_of_a_status_has_exactly_one_event(
    lab: Lab,
    team: Entrant,
    admin: Person,
    changes: Callable[[], Counter[Change]],
    tus: Tus,
    slug: str,
    unused: UUID,
) -> None:
    since = last_event(lab)
    evaluations(lab, team, admin)
    uploads(lab, tus, slug)
    datasets(lab, unused)
    walk(lab, team, admin, 1)
    walk(lab, team, admin, 2)
    events, seen = told(lab, since), changes()
    assert Counter((one.subject, one.subject_id, one.old, one.new) for one in events) == seen
    assert {change[0] for change in seen} == {subject for subject, _ in TABLES.values()}
    met = {(subject, old, new) for subject, _, old, new in seen}
    assert {("case_run", old, new) for old in CASE_MOVES for new in CASE_MOVES[old]} <= met
    never = {("evaluation", "queued", "rejected")}
    possible = {("evaluation", old, new) for old in EVALUATION_MOVES for new in EVALUATION_MOVES[old]}
    assert possible - never <= met, "a function above has to make each of these moves"
    assert {("upload", old, new) for old in UPLOAD_MOVES for new in UPLOAD_MOVES[old]} <= met
    claims = [one.claim_no for one in events if (one.subject, one.new) == ("case_run", "running")]
    assert all(claims)
    assert max(one for one in claims if one) > 1
    assert all(one.code for one in events if one.subject == "case_run" and one.new in ("done", "parked"))
    actors = {one.actor.partition(":")[0] for one in events}
    assert actors == {"user", "worker", PLATFORM, "tests"}


def evaluations(lab: Lab, team: Entrant, admin: Person) -> None:
    worker = lab.worker()
    differing = team.submit()
    invoked(lab, worker, worker.take(), worker.take())
    end(lab, differing)
    assert put_back(admin, differing) == 204
    worker.drain()
    settle(lab, rejected="They differ.")
    parked = team.submit()
    worker.take()
    assert worker.release(worker.take(), BROKEN) == 204
    assert team.http.post(f"/evaluations/{parked}/cancel").status_code == 200
    for fault in (None, PlatformFault.SCORER_FAILED):
        evaluation = team.submit()
        lab.worker().drain()
        if fault is None:
            settle(lab, rejected=None)
            continue
        for _ in range(2):
            fail(lab, evaluation, fault)
        assert put_back(admin, evaluation) == 204, "only its scoring repeats"
        turn(lab, evaluation, "scoring_not_before")
        assert team.http.post(f"/evaluations/{evaluation}/cancel").status_code == 200
    queued, begun = team.submit(), team.submit()
    end(lab, queued)
    assert put_back(admin, queued) == 204
    assert team.http.post(f"/evaluations/{queued}/cancel").status_code == 200
    worker = lab.worker()
    assert worker.finish(worker.take()).status_code == 204
    end(lab, begun)
    assert put_back(admin, begun) == 204
    assert team.http.post(f"/evaluations/{begun}/cancel").status_code == 200
    failing = team.submit()
    worker.drain(fault="exit_code")
    assert team.evaluation(failing)["status"] == "rejected"


def uploads(lab: Lab, tus: Tus, slug: str) -> None:
    def claim() -> Upload:
        with unit_of_work(lab.sessions) as session:
            found = checks.claim_upload_to_check(session, uploads=lab.settings.uploads, most_per_team=8)
            assert found is not None
            return found

    tus.upload(slug, b"an archive")
    upload, facts = claim(), image_facts(sizes=7)
    with unit_of_work(lab.sessions) as session:
        allowed = Allowed(2**40, None)
        checks.settle_valid(session, upload, facts, uploads=lab.settings.uploads, allowed=allowed)
    tus.upload(slug, b"no archive")
    with unit_of_work(lab.sessions) as session:
        checks.settle_invalid(session, claim(), "not_a_tar", "It is none.", uploads=lab.settings.uploads)
    tus.begin(slug, b"never comes")
    with unit_of_work(lab.sessions) as session:
        receiving = Upload.status == UploadStatus.RECEIVING
        session.execute(update(Upload).where(receiving).values(expires_at=func.now() - timedelta(seconds=1)))
    with unit_of_work(lab.sessions) as session:
        assert expire_uploads(session, uploads=lab.settings.uploads) > 0


def datasets(lab: Lab, unused: UUID) -> None:
    with unit_of_work(lab.sessions) as session:
        first = session.get_one(Dataset, unused)
        place = Dataset.phase == first.phase, Dataset.task == first.task
        own = Dataset.challenge_id == first.challenge_id, *place
        second = session.scalars(select(Dataset).where(*own, Dataset.state == DatasetState.ACTIVE)).one()
        for one in (first, second):
            versions.activate(session, one, settings=lab.settings, actor="tests")
        lab.settings.references.mkdir(parents=True, exist_ok=True)
        versions.drop(session, first, settings=lab.settings, actor="tests")


MOVES: dict[str, dict[StrEnum, frozenset[StrEnum]]] = {
    "evaluations": {**EVALUATION_MOVES},
    "case_runs": {**CASE_MOVES},
    "uploads": {**UPLOAD_MOVES},
    "datasets": {**DATASET_MOVES},
}
KNOWN: set[str] = {*EvaluationStatus, *CaseStatus, *UploadStatus, *DatasetState}


def test_the_claim_moves_only_as_the_tables_say_and_its_events_are_those_moves() -> None:
    statement = re.sub("--.*", "", STATEMENT)
    from_waiting = re.search(r"case_runs\.status = '(\w+)'", statement)
    written = re.findall(r"UPDATE (\w+) SET status = '(\w+)'(.*?)RETURNING", statement, re.DOTALL)
    assert from_waiting is not None
    assert [table for table, _, _ in written] == ["case_runs", "evaluations"]
    moves = {"case_run": (from_waiting[1], written[0][1])}
    (from_queued,) = re.findall(r"status = '(\w+)'", written[1][2])
    moves["evaluation"] = (from_queued, written[1][1])
    events = re.findall(r"'(case_run|evaluation)', id, :actor, '(\w+)', '(\w+)'", statement)
    assert {subject: (old, new) for subject, old, new in events} == moves
    assert CaseStatus(moves["case_run"][1]) in CASE_MOVES[CaseStatus(moves["case_run"][0])]
    assert (
        EvaluationStatus(moves["evaluation"][1]) in EVALUATION_MOVES[EvaluationStatus(moves["evaluation"][0])]
    )


def named(sql: str) -> Iterator[str]:
    """Every status that a piece of SQL compares with or writes."""
    for found in re.finditer(r"(?i)\b(?:status|state)\s*(?:=|<>|in)\s*(\([^)]*\)|'\w+')", sql):
        yield from re.findall(r"'(\w+)'", found[1])


def test_sql_names_only_statuses_that_there_are() -> None:
    folder = Path(server.__file__).parent
    files = {
        path.relative_to(folder): path.read_text()
        for pattern in ("*.py", "*.sql")
        for path in folder.rglob(pattern)
    }
    found = {str(path): set(named(content)) for path, content in files.items() if set(named(content))}
    assert {"queue/claim.sql", "evaluations/usage.py", "evaluations/models.py"} <= set(found)
    assert {path: names - KNOWN for path, names in found.items() if names - KNOWN} == {}
    for path, content in files.items():
        for table, status in re.findall(r"UPDATE (\w+) SET status = '(\w+)'", content):
            reached = set().union(*MOVES[table].values())
            assert status in reached, f"{path} gives {table} the status {status}, which no move leads to"


def test_every_index_of_some_statuses_names_those_of_its_own_table() -> None:
    own: dict[str, type[StrEnum]] = {
        "evaluations": EvaluationStatus,
        "case_runs": CaseStatus,
        "uploads": UploadStatus,
        "outbox_messages": DeliveryStatus,
    }
    seen = 0
    for table in Base.metadata.tables.values():
        for index in table.indexes:
            where = index.dialect_options["postgresql"]["where"]
            names = set() if where is None else set(named(str(where)))
            if names and table.name != "datasets":
                seen += 1
                assert names <= set(own[table.name]), index.name
            elif names:
                assert names <= set(DatasetState), index.name
    assert seen >= 7
