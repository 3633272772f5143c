"""What meets faults of the platform waits for them to pass; it ends only where others run well and it does not."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import func, select

from server.database import unit_of_work
from server.evaluations import errors, faults
from server.evaluations.models import CaseRun, Evaluation, Trouble
from server.evaluations.suspicion import FAULTS, FAULTS_BESIDE_ITS_OWN, pause_after
from server.evaluations.views import failed_out
from tests.server.lab import Entrant, FakeWorker, Json, Lab
from tests.server.test_faults import BROKEN

LOST = "worker_lost"
MakeEntrant = Callable[[str], Entrant]


def work(
    lab: Lab, worker: FakeWorker, bad: Callable[[Json], bool], *, faults: int, fault: str = BROKEN
) -> int:
    """Runs cases on `worker`, where what is `bad` meets a fault each time, until nothing waits or it met so many.

    A pause is over when two others have ended, or nothing else waits.
    """
    met = well = 0
    while met < faults:
        lease = worker.lease()
        if lease is None:
            if not lab.unpark():
                break
        elif bad(lease):
            met += 1
            assert worker.release(lease, fault, "the engine hung") == 204
        else:
            assert worker.finish(lease).status_code == 204
            well += 1
            if well % 2 == 0:
                lab.unpark()
    return met


def of(evaluation: str, *, case: int = 0, lab: Lab | None = None) -> Callable[[Json], bool]:
    """Whether a lease is one of the evaluation, or of one case of it."""
    if lab is None:
        return lambda lease: lease["evaluation"] == evaluation
    pseudonym = lab.runs(evaluation)[case].pseudonym
    return lambda lease: lease["pseudonym"] == pseudonym


def trouble(lab: Lab, evaluation: str) -> str | None:
    with unit_of_work(lab.sessions) as session:
        return session.get_one(Evaluation, UUID(evaluation)).trouble


def pauses(lab: Lab, evaluation: str) -> list[float]:
    """Seconds for which cases are still parked on the database's clock."""
    left = func.extract("epoch", CaseRun.not_before - func.clock_timestamp())
    with unit_of_work(lab.sessions) as session:
        query = select(left).where(CaseRun.evaluation_id == UUID(evaluation), CaseRun.status == "parked")
        return [float(one) for one in session.scalars(query)]


def test_pauses_double_up_to_ten_minutes() -> None:
    assert [pause_after(faults) for faults in range(1, 10)] == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert pause_after(10**6) == 600


def test_a_case_that_met_a_fault_is_parked_and_comes_back_by_the_clock(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    first = worker.take()
    assert worker.release(first, BROKEN) == 204
    run = lab.runs(evaluation)[0]
    assert (run.status, run.faults) == ("parked", 1)
    assert 0 < pauses(lab, evaluation)[0] <= 5
    with unit_of_work(lab.sessions) as session:
        assert faults.revive_parked(session, settings=lab.settings) == 0, "its pause is not over"
    assert worker.take()["case_run"] != first["case_run"]
    assert lab.unpark() == 1
    again = worker.take()
    assert (again["case_run"], again["claim_no"]) == (first["case_run"], 2)
    assert worker.release(again, BROKEN) == 204
    assert 5 < pauses(lab, evaluation)[0] <= 10


def test_a_parked_case_takes_no_verdict_and_goes_with_its_evaluation(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    lease = worker.take()
    assert worker.release(lease, BROKEN) == 204
    assert worker.finish(lease, fault="timeout").status_code == 409
    assert team.http.post(f"/evaluations/{evaluation}/cancel").status_code == 200
    assert {run.status for run in lab.runs(evaluation)} == {"dropped"}
    assert lab.unpark() == 0


def test_an_evaluation_is_not_through_while_a_case_is_parked(lab: Lab, team: Entrant) -> None:
    lab.dataset(cases=3)
    evaluation, worker = team.submit(), lab.worker()
    parked = worker.take()
    assert worker.release(parked, BROKEN) == 204
    assert worker.drain() == 2
    assert team.evaluation(evaluation)["status"] == "running"
    assert lab.unpark() == 1
    assert worker.drain() == 1
    assert team.evaluation(evaluation)["status"] == "scoring"


def test_ten_killed_workers_in_a_row_end_no_evaluation(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    for number in range(10):
        lease = lab.worker(f"killed{number}").take()
        assert (lab.expire(lease), lab.unpark()) == (1, 1)
    worker = lab.worker()
    assert worker.drain() == 5
    assert team.evaluation(evaluation)["status"] == "scoring"
    assert sum(run.faults for run in lab.runs(evaluation)) == 10


def test_a_platform_that_fails_everybody_ends_nobody(lab: Lab, entrant: MakeEntrant) -> None:
    ones = [entrant(f"Team {number}") for number in range(3)]
    evaluations = [one.submit() for one in ones]
    worker = lab.worker()
    for _ in range(6):
        while (lease := worker.lease()) is not None:
            assert worker.release(lease, "worker_lost") == 204
        lab.unpark()
    assert {one.evaluation(each)["status"] for one, each in zip(ones, evaluations, strict=True)} == {
        "running"
    }
    while lab.unpark() or worker.drain():
        pass
    assert {one.evaluation(each)["status"] for one, each in zip(ones, evaluations, strict=True)} == {
        "scoring"
    }


def test_a_case_that_fails_where_other_images_run_well_ends_its_evaluation(
    lab: Lab, team: Entrant, entrant: MakeEntrant
) -> None:
    lab.dataset(cases=3)
    lab.dataset("task3", cases=12)
    other, worker = entrant("Other"), lab.worker()
    poison, well = team.submit(), other.submit("task3")
    assert work(lab, worker, of(poison, case=0, lab=lab), faults=9) == FAULTS
    seen = team.evaluation(poison)
    assert (seen["status"], seen["reason_code"]) == ("errored", BROKEN)
    assert "No attempt was spent" in seen["reason"]
    assert team.quota()["left"] == 3
    assert {run.status for run in lab.runs(poison)} <= {"dropped", "done"}
    assert other.evaluation(well)["status"] == "scoring"
    told = trouble(lab, poison)
    assert told is not None
    for part in (lab.runs(poison)[0].pseudonym, "3 faults", worker.name, "the engine hung"):
        assert part in told, part
        assert part not in str(seen), "for admins alone"


def test_beside_its_own_image_alone_a_case_is_tried_more_often(lab: Lab, team: Entrant) -> None:
    lab.dataset(cases=12)
    evaluation, worker = team.submit(), lab.worker()
    assert work(lab, worker, of(evaluation, case=2, lab=lab), faults=9) == FAULTS_BESIDE_ITS_OWN
    assert team.evaluation(evaluation)["status"] == "errored"


def test_where_others_met_faults_too_and_ended_well_nobody_is_to_blame(
    lab: Lab, team: Entrant, entrant: MakeEntrant
) -> None:
    other, worker = entrant("Other"), lab.worker()
    well, evaluation = other.submit(), team.submit()
    disturbed: set[str] = set()

    def bad(lease: Json) -> bool:
        """Each case of the others once, and one case of the team's each time."""
        once = lease["case_run"] not in disturbed
        disturbed.add(lease["case_run"])
        return once if lease["evaluation"] == well else poison(lease)

    poison = of(evaluation, case=0, lab=lab)
    assert work(lab, worker, bad, faults=12) == 12
    assert team.evaluation(evaluation)["status"] == "running"
    lab.unpark()
    assert worker.drain() > 0
    assert team.evaluation(evaluation)["status"] == other.evaluation(well)["status"] == "scoring"


def test_faults_on_a_broken_host_count_against_nobody(lab: Lab, team: Entrant, entrant: MakeEntrant) -> None:
    lab.dataset(cases=9)
    other, sound = entrant("Other"), lab.worker("sound")
    evaluation, well = team.submit(), other.submit()
    broken = [lab.worker(f"broken{number}") for number in range(4)]
    for one in broken:
        while (lease := one.take())["evaluation"] != evaluation:
            assert one.release(lease, BROKEN) == 204
        assert one.release(lease, BROKEN) == 204
        lab.unpark()
    assert sound.drain() == 18
    assert team.evaluation(evaluation)["status"] == other.evaluation(well)["status"] == "scoring"


def test_an_image_that_no_host_can_stand_ends_sooner_each_time_and_begins_later(
    lab: Lab, team: Entrant, entrant: MakeEntrant
) -> None:
    lab.dataset(cases=60)
    other, worker = entrant("Other"), lab.worker()
    first = team.submit()
    other.submit()
    assert work(lab, worker, of(first), faults=20, fault=LOST) < 20
    assert team.evaluation(first)["status"] == "errored"
    assert max(run.faults for run in lab.runs(first)) == FAULTS
    second = team.submit()
    assert [run.status for run in lab.runs(second)][:4] == ["parked"] * 3 + ["waiting"]
    assert all(0 < left <= pause_after(FAULTS) for left in pauses(lab, second))
    with unit_of_work(lab.sessions) as session:
        (waits,) = [failed_out(one) for one in errors.parked(session, challenge=lab.slug)]
    assert (waits.id, waits.cases_parked, waits.code) == (UUID(second), 3, None)
    assert waits.reason is not None
    assert waits.reason.startswith("Its image met faults in earlier evaluations")
    assert team.evaluation(second)["note"].startswith("Waits: the platform is disturbed")
    lab.unpark()
    assert work(lab, worker, of(second), faults=9, fault=LOST) == 1
    seen = team.evaluation(second)
    assert (seen["status"], seen["reason_code"]) == ("errored", LOST)
    told = trouble(lab, second)
    assert told is not None
    assert told.startswith("No case of its image has ever ended; in 2 evaluations")
    assert team.quota()["left"] == 3
    third = team.submit()
    assert all(pause_after(FAULTS) < left <= pause_after(FAULTS + 1) for left in pauses(lab, third))


def test_a_team_whose_cases_are_all_parked_is_told_so_and_no_more(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    leases = [worker.take() for _ in range(3)]
    for lease in leases[:2]:
        assert worker.release(lease, BROKEN, "disk of gpu-2 is full") == 204
    assert team.evaluation(evaluation)["note"] is None, "one of the first cases runs"
    assert worker.release(leases[2], BROKEN, "disk of gpu-2 is full") == 204
    seen = team.evaluation(evaluation)
    assert seen["note"].startswith("Waits: the platform is disturbed")
    assert "gpu-2" not in str(seen)
    assert lab.unpark() == 3
    assert team.evaluation(evaluation)["note"] is None


def test_what_a_worker_says_of_a_fault_is_kept(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    assert worker.release(worker.take(), "gpu_fault", "Xid 79\0") == 204
    assert lab.expire(worker.take()) == 1
    with unit_of_work(lab.sessions) as session:
        query = select(Trouble).where(Trouble.evaluation_id == UUID(evaluation)).order_by(Trouble.id)
        found = [(one.code, one.worker, one.detail) for one in session.scalars(query)]
    assert found == [
        ("gpu_fault", worker.name, "Xid 79\ufffd"),
        ("worker_lost", worker.name, f"{worker.name} did not renew its lease of 30 s."),
    ]


def test_a_worker_of_an_older_version_says_nothing_of_a_fault(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    assert worker.call("POST", worker.take(), "release", json={"fault": BROKEN}).status_code == 204
    assert lab.runs(evaluation)[0].status == "parked"
