"""A challenge that is ready to open, and everything that keeps one from being so: each damage is found by its check."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from contract.agreements import Before
from contract.phases import CheckState
from contract.readiness import ChallengeReadiness
from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge as Spec
from evaluator.spec import merge, parse_challenge
from server.accounts.models import Account
from server.accounts.principals import Observer, Organizer
from server.accounts.service import authenticate_user
from server.agreements.models import Agreement
from server.agreements.service import accept
from server.challenges.models import SpecVersion
from server.challenges.service import apply, get_challenge
from server.database import SessionFactory
from server.datasets.models import Case, Dataset
from server.evaluations.models import Evaluation
from server.evaluations.receipt_keys import require_own_key
from server.evaluations.worker_models import WorkerSlot
from server.images.models import Image
from server.phases.commitments import commit_labels
from server.readiness import installation
from server.readiness.service import check
from server.readiness.world import World
from server.reference_submissions.models import ReferenceSubmission
from server.settings import Settings
from server.submissions.service import submit
from server.teams.models import Team
from server.versions.service import import_fomo
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, words
from tests.server.phantoms import FOMO26, phantom

TASKS = ("task2", "task5")
PHASES = {"sanity": 4, "validation": 20, "test": 20}


@pytest.fixture(scope="module")
def fomo26() -> Spec:
    """Two tasks, dates that are to come, and a rule for prizes."""
    content = FOMO26.model_dump(mode="json")
    for section in ("tasks", "boards"):
        content[section] = {task: content[section][task] for task in TASKS}
    day = timedelta(days=1)
    today = datetime.now(UTC).replace(microsecond=0)
    content["ranking"] |= {
        "weights": dict.fromkeys(TASKS, 1),
        "prizes": {"places": ["a book"], "share_within": "winner_set"},
    }
    content["boards"]["task5"]["groups"] = [{"variable": "sex", "enough": 5}]
    dates = {"sanity": (-1, 90), "validation": (-1, 30), "test": (31, 60)}
    for phase, (opens, closes) in dates.items():
        content["phases"][phase] |= {
            "opens": (today + opens * day).isoformat(),
            "closes": (today + closes * day).isoformat(),
        }
    return parse_challenge(content)


@dataclass
class Ready:
    """The challenge in a unit of work that is never committed."""

    session: Session
    settings: Settings
    slug: str
    team: Entrant

    def look(self, **how: Any) -> ChallengeReadiness:
        challenge = get_challenge(self.session, self.slug)
        observer = Observer(challenge.id, "a test")
        return check(self.session, challenge, observer, **{"settings": self.settings, **how})

    def apply(self, **changes: Any) -> None:
        """The challenge file with changes."""
        spec = get_challenge(self.session, self.slug).spec
        apply(self.session, parse_challenge(merge(spec.model_dump(mode="json"), changes)), actor="a test")

    def phase(self, name: str, **changes: Any) -> None:
        self.apply(phases={name: changes})

    def dataset(self, phase: str, task: str = "task5") -> Dataset:
        challenge = get_challenge(self.session, self.slug)
        same = (
            Dataset.challenge_id == challenge.id, Dataset.phase == phase, Dataset.task == task,
            Dataset.folder != "",
        )  # fmt: skip
        query = select(Dataset).where(*same).order_by(Dataset.created_at.desc())
        return self.session.scalars(query.limit(1)).one()

    @contextmanager
    def table(self, edit: Callable[[str], str]) -> Iterator[None]:
        """The references of the validation phase with other rows."""
        path = self.settings.references / self.dataset("validation").folder / "references.csv"
        before = path.read_text()
        head, *rows = before.splitlines()
        path.write_text("\n".join([head, *map(edit, rows)]) + "\n")
        yield
        path.write_text(before)

    def submit(self) -> Evaluation:
        token = self.team.http.headers["Authorization"].removeprefix("Bearer ")
        user, challenge = authenticate_user(self.session, token), get_challenge(self.session, self.slug)
        accept(self.session, user, challenge, "sha256:rules")
        submission, _ = submit(
            self.session,
            user,
            challenge,
            team_id=None,
            track="open",
            phase="validation",
            images={"task5": self.team.image},
            idempotency_key="readiness",
            settings=self.settings,
        )
        self.session.refresh(submission)
        return submission.evaluations[0]


@pytest.fixture
def ready(
    lab: Lab, team: Entrant, admin: Person, sessions: SessionFactory, tmp_path: Path
) -> Iterator[Ready]:
    """Everything is as it should be."""
    lab.worker().lease()  # a slot that is there
    (lab.settings.data / "last_backup").write_text(datetime.now(UTC).isoformat())
    with sessions() as session:
        require_own_key(session, lab.settings)
        challenge = get_challenge(session, lab.slug)
        session.execute(update(Team).where(Team.id == UUID(team.team)).values(is_baseline=True))
        for number, (phase, cases) in enumerate(PHASES.items()):
            for task in TASKS:
                made = phantom(tmp_path / phase, task, cases=cases, seed=10 * number, spec=challenge.spec)
                dataset, _ = import_fomo(
                    session,
                    challenge,
                    phase=phase,
                    task=task,
                    source=made.root,
                    settings=lab.settings,
                    actor="a test",
                    accept=lambda warnings: True,
                )
                session.add(
                    ReferenceSubmission(
                        challenge_id=challenge.id,
                        phase=phase,
                        task=task,
                        spec_version_id=challenge.current_version_id,
                        dataset_id=dataset.id,
                        asked_by="a test",
                        finished_at=datetime.now(UTC),
                    )
                )
        agreement = {
            "document": "rules",
            "number": 1,
            "since": 1,
            "digest": "sha256:rules",
            "text": "Be fair.",
        }
        session.add(
            Agreement(
                challenge_id=challenge.id,
                title="Rules",
                before=Before.SUBMISSION,
                published_by="a test",
                **agreement,
            )
        )
        organizer = Organizer(challenge.id, "a test")
        commit_labels(session, organizer, challenge, "validation", settings=lab.settings)
        session.flush()
        small = lab.settings.model_copy(
            update={"team_storage": 2**20}
        )  # fits on every disk that tests run on
        yield Ready(session, small, lab.slug, team)
        session.rollback()


def not_ok(found: ChallengeReadiness) -> dict[str, CheckState]:
    """What is not as it should be; whether NTP keeps this machine's clock is none of a test's business."""
    return {
        one.code: one.state for one in found.checks if one.state is not CheckState.OK and one.code != "clock"
    }


WARNING, ERROR = CheckState.WARNING, CheckState.ERROR


def relabel(label: str) -> Callable[[str], str]:
    """Another label in every row."""

    def edit(row: str) -> str:
        cells = row.split(",")
        cells[2] = label
        return ",".join(cells)

    return edit


def _uninstalled(ready: Ready) -> None:
    challenge = get_challenge(ready.session, ready.slug)
    content = challenge.spec.model_dump(mode="json")
    content["boards"]["task5"]["metrics"] = {"own": {"metric": "somebody.else:metric"}}
    version = SpecVersion(challenge_id=challenge.id, digest="sha256:other", content=content)
    ready.session.add(version)
    ready.session.flush()
    challenge.current_version = version


def _shared_scan(ready: Ready) -> None:
    public, hidden = ready.dataset("sanity").cases[0], ready.dataset("validation").cases[0]
    ready.session.execute(update(Case).where(Case.id == hidden.id).values(files=public.files))


def _judged_otherwise(ready: Ready) -> None:
    ready.session.execute(update(ReferenceSubmission).values(judgements=[{"as_expected": False}]))


def _any_failures(ready: Ready) -> None:
    ready.phase("validation", attempts={"rejected_per_week": None})


def _no_cases(ready: Ready) -> None:
    ready.session.execute(update(Dataset).values(state="superseded"))


def _short(ready: Ready) -> None:
    ready.phase("validation", closes=(datetime.now(UTC) + timedelta(seconds=30)).isoformat())


def _late_queue(ready: Ready) -> None:
    ready.submit()
    _short(ready)


def _other_scorer(ready: Ready) -> None:
    evaluation = ready.submit()
    evaluation.evaluator_version, evaluation.finished_at = "0.0.1", datetime.now(UTC)
    ready.session.flush()


def _unknown_base(ready: Ready) -> None:
    evaluation = ready.submit()
    evaluation.status, evaluation.finished_at = EvaluationStatus.SCORED, datetime.now(UTC)
    ready.session.flush()


def _run(*statements: Any) -> Callable[[Ready], None]:
    def damage(ready: Ready) -> None:
        for statement in statements:
            ready.session.execute(statement)
        ready.session.expire_all()

    return damage


def _nothing_to_accept(ready: Ready) -> None:
    challenge = get_challenge(ready.session, ready.slug)
    ready.session.execute(delete(Agreement).where(Agreement.challenge_id == challenge.id))
    ready.session.expire_all()


PAST = "2020-01-01T00:00:00+00:00"
DAMAGES: dict[str, tuple[Callable[[Ready], None], str, CheckState]] = {
    "no date": (lambda ready: ready.phase("validation", opens=None), "dates", WARNING),
    "over": (lambda ready: ready.phase("validation", opens=PAST, closes="2020-02-01T00:00:00+00:00"), "dates", WARNING),
    "no end": (lambda ready: ready.phase("test", closes=None), "dates", WARNING),
    "wrong order": (lambda ready: ready.phase("test", opens=PAST), "order", WARNING),
    "two time zones": (lambda ready: ready.phase("test", closes="2099-01-01T00:00:00+02:00"), "order", WARNING),
    "any attempts": (lambda ready: ready.phase("validation", attempts={"valid": None}), "attempts", WARNING),
    "any failures": (_any_failures, "attempts", WARNING),
    "open test board": (lambda ready: ready.phase("test", board="public"), "sealed", WARNING),
    "no public phase": (lambda ready: ready.phase("sanity", hidden=True), "sanity", WARNING),
    "prizes without a rule": (lambda ready: ready.apply(ranking={"prizes": ["a book"]}), "prizes", WARNING),
    "nothing to accept": (_nothing_to_accept, "agreements", WARNING),
    "a metric gone": (_uninstalled, "metrics", ERROR),
    "an older metric": (_unknown_base, "metrics", WARNING),
    "no cases": (_no_cases, "dataset", ERROR),
    "cases that do not fit": (lambda ready: ready.apply(tasks={"task5": {"output": {"maximum": 2}}}), "dataset", ERROR),
    "a public scan": (_shared_scan, "scans", ERROR),
    "scored otherwise": (_judged_otherwise, "scoring", ERROR),
    "never tried": (_run(delete(ReferenceSubmission)), "scoring", WARNING),
    "no worker": (_run(delete(WorkerSlot)), "workers", ERROR),
    "a small worker": (_run(update(WorkerSlot).values(memory=1)), "workers", ERROR),
    "a short phase": (_short, "time", WARNING),
    "a long queue": (_late_queue, "queue", WARNING),
    "no admin": (_run(update(Account).values(is_admin=False)), "setup_token", ERROR),
    "another scorer": (_other_scorer, "scorers", WARNING),
    "no baseline": (_run(update(Team).values(is_baseline=False)), "baseline", WARNING),
    "a baseline without an image": (_run(update(Image).values(removed_at=datetime.now(UTC))), "baseline", WARNING),
}  # fmt: skip


TABLES: dict[str, tuple[Callable[[str], str], CheckState]] = {
    "labels": (relabel("perhaps"), ERROR),
    "classes": (relabel("1"), ERROR),
    "groups": (lambda row: row.replace(",M,", ",,").replace(",F,", ",,"), ERROR),
    "intervals": (lambda row: row if row[5] == "1" else relabel("0")(row), WARNING),
}


def _wrong_tables(ready: Ready) -> None:
    for code, (edit, state) in TABLES.items():
        with ready.table(edit):
            found = {(one.code, one.phase, one.task): one for one in ready.look(phase="validation").checks}
        assert found[code, "validation", "task5"].state is state, code
        assert found[code, "validation", "task5"].todo
        assert found["commitment", "validation", None].state is ERROR, "labels were changed on the disk"
        assert ("dataset", "test", "task5") not in found, "another phase was not asked for"


def _wrong_surroundings(ready: Ready) -> None:
    def state(code: str, **settings: Any) -> CheckState:
        changed = ready.settings.model_copy(update=settings)
        return next(
            one.state for one in ready.look(settings=changed, with_labels=False).checks if one.code == code
        )

    assert state("disk", disk_reserve=2**60) is ERROR
    assert state("disk", team_storage=2**60) is CheckState.OK
    with ready.session.begin_nested() as kept:
        ready.apply(limits={"image": "64t"})
        assert state("disk", team_storage=2**60) is WARNING
        kept.rollback()
    ready.session.expire_all()
    assert state("secret_key", secret_key=SecretStr("z" * 40)) is ERROR
    assert state("labels", data=ready.settings.data / "elsewhere") is WARNING
    backup = ready.settings.data / "last_backup"
    backup.write_text((datetime.now(UTC) - timedelta(days=9)).isoformat())
    assert state("backup") is WARNING
    backup.unlink()
    assert state("backup") is WARNING
    backup.write_text(datetime.now(UTC).isoformat())
    world = World(
        ready.session, ready.settings, get_challenge(ready.session, ready.slug), {}, datetime.now(UTC)
    )
    (clock,) = installation.clocks(replace(world, apart=timedelta(minutes=1)))
    assert clock.state is ERROR


def test_a_sound_challenge_is_ready_and_each_damage_is_found_by_its_own_check(ready: Ready) -> None:
    assert not_ok(ready.look()) == {}, "a sound challenge"
    _wrong_tables(ready)
    _wrong_surroundings(ready)
    for name, (damage, code, state) in DAMAGES.items():
        with ready.session.begin_nested() as kept:
            damage(ready)
            found = {one.code: one for one in ready.look(with_labels=False).checks if one.state is state}
            assert code in found, f"{name}: {found}"
            assert found[code].todo, name
            kept.rollback()
        ready.session.expire_all()


def test_the_command_says_what_to_do_and_ends_with_1_where_something_is_wrong(
    lab: Lab, command: Admin, admin: Person, captain: Person
) -> None:
    found = command("check", lab.slug, "--no-labels")
    assert found.exit_code == 1
    assert "no slot is there for 1 CPU, 0.25 GiB of memory" in words(found)
    assert "Import them: proctor-admin import-dataset FOLDER" in words(found)
    each = command("check", lab.slug, "--no-labels", "--all")
    counts = [len(re.findall(r"^(?:ok|warning|error) ", one.output, re.M)) for one in (found, each)]
    assert counts[0] < counts[1], "what is alike is one line"
    assert "ok dates 3 phases well" in words(found)
    assert "error dataset 3 tasks of 2 phases no cases are in force" in words(found)
    assert "error dataset sanity task5 no cases are in force" in words(each)
    assert words(found).partition(f"{lab.slug}: ")[2] == words(each).partition(f"{lab.slug}: ")[2], (
        "one count"
    )
    answer = admin.http.get(f"/organize/{lab.slug}/check", params={"phase": "validation"})
    assert answer.status_code == 200
    assert answer.json()["errors"] > 0
    assert {one["phase"] for one in answer.json()["checks"]} == {None, "validation"}
    assert admin.http.get(f"/organize/{lab.slug}/check?phase=x").json()["code"] == "unknown_phase"
    assert captain.http.get(f"/organize/{lab.slug}/check").json()["code"] == "organizers_only"
