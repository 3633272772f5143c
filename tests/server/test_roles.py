"""Organizers and observers: who names them, what they see and decide, and that it ends at their own challenge."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import yaml
from sqlalchemy import update

from contract.events import Subject
from contract.organizers import Role
from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge
from server.admin.event_log import OF_CHALLENGES, OF_INSTALLATION
from server.challenges.service import apply, get_challenge
from server.closing.service import close_account
from server.database import SessionFactory, unit_of_work
from server.datasets.models import Dataset
from server.evaluations.models import Evaluation
from server.organizers.models import ChallengeRole
from server.settings import Settings
from tests.server.conftest import Clients, Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, words

People = Callable[..., Person]
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "plugin"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"] if answer.content else ""


def give(sessions: SessionFactory, slug: str, person: Person, role: Role) -> None:
    """A role without asking anybody."""
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        session.add(
            ChallengeRole(challenge_id=challenge.id, user_id=UUID(person.id), role=role, named_by="tests")
        )


def test_admins_name_organizers_organizers_name_observers_and_every_role_ends(
    lab: Lab, team: Entrant, admin: Person, person: People, clients: Clients
) -> None:
    ada, bob, cyd = person("Ada"), person("Bob"), person("Cyd")
    where = f"/organize/{lab.slug}/organizers"

    def name(by: Person, of: Person, role: str, *, yes: bool = True) -> httpx.Response:
        return by.http.put(where, json={"email": of.email.upper(), "role": role, "yes": yes})

    asked = name(admin, ada, "organizer", yes=False)
    assert code(asked) == (409, "needs_confirmation")
    assert asked.json()["detail"].startswith(f"Ada ({ada.email}) would decide in {lab.slug}")
    assert ada.http.get("/me").json()["roles"] == []
    assert name(admin, ada, "organizer").json()["role"] == "organizer"
    assert ada.http.get("/me").json()["roles"] == [{"challenge": lab.slug, "role": "organizer"}]
    assert name(admin, ada, "organizer", yes=False).status_code == 200, "twice is as good as once"
    nobody = {"email": "nobody@example.org", "role": "observer"}
    assert code(ada.http.put(where, json=nobody)) == (404, "unknown_account")

    member = Person(team.http, team.http.get("/me").json()["id"], team.http.get("/me").json()["email"], "")
    assert code(name(ada, bob, "organizer")) == (403, "admins_only")
    assert "as a member of the team The Team." in name(ada, member, "observer", yes=False).json()["detail"]
    assert name(ada, member, "observer").json()["team"] == "The Team"
    assert name(ada, bob, "observer").status_code == 200
    assert code(name(bob, cyd, "observer")) == (403, "organizers_only")
    assert code(name(cyd, cyd, "organizer")) == (403, "organizers_only")
    assert code(name(ada, ada, "observer")) == (403, "admins_only"), "nor does anybody make themselves less"
    listed = bob.http.get(where).json()
    assert [(one["name"], one["role"], one["team"]) for one in listed] == [
        ("Ada", "organizer", None),
        ("The Team", "observer", "The Team"),
        ("Bob", "observer", None),
    ]
    assert [one["named_by_name"] for one in listed] == ["Grace", "Ada", "Ada"], "whoever named them, by name"

    reads = clients(ada.http.post("/tokens", json={"name": "r", "scopes": ["read"]}).json()["token"])
    assert reads.get(where).status_code == 200
    assert code(reads.delete(f"{where}/{bob.id}")) == (403, "scope_missing")
    assert code(reads.delete(f"{where}/{ada.id}")) == (403, "scope_missing")
    assert code(ada.http.delete(f"{where}/{cyd.id}")) == (404, "no_role")
    assert code(ada.http.delete(f"{where}/{ada.id}")) == (409, "last_organizer")
    assert name(admin, cyd, "organizer").status_code == 200
    assert code(ada.http.delete(f"{where}/{cyd.id}")) == (403, "admins_only")
    assert ada.http.delete(f"{where}/{ada.id}").status_code == 204, "another one is there"
    assert code(ada.http.get(where)) == (403, "organizers_only")
    assert cyd.http.delete(f"{where}/{bob.id}").status_code == 204
    assert admin.http.delete(f"{where}/{cyd.id}").status_code == 204, "admins may leave it without any"

    assert name(admin, bob, "organizer").status_code == 200
    with unit_of_work(lab.sessions) as session:
        close_account(session, UUID(bob.id), actor="tests")
    assert code(name(admin, bob, "organizer")) == (409, "account_closed")
    assert [one["name"] for one in admin.http.get(where).json()] == ["The Team"]
    require_recorded(lab, admin, ada, bob, member)


def require_recorded(lab: Lab, admin: Person, ada: Person, bob: Person, member: Person) -> None:
    """The log says who named whom, and that a closed account has no role."""
    said = admin.http.get("/admin/events", params={"challenge": lab.slug, "subject": "challenge"}).json()
    told = [(one["what"], one["why"], one["actor"]) for one in said["items"]][::-1]
    assert told[1:4] == [
        ("organizer named", f"user:{ada.id}", f"user:{admin.id}"),
        ("observer named", f"user:{member.id}", f"user:{ada.id}"),
        ("observer named", f"user:{bob.id}", f"user:{ada.id}"),
    ]
    assert told[-1] == ("organizer no more", f"user:{bob.id}", "tests")


def test_a_challenge_has_no_more_roles_than_a_list_holds(
    lab: Lab, admin: Person, person: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.roles.service.MOST", 2)
    for _ in range(2):
        give(lab.sessions, lab.slug, person(), Role.OBSERVER)
    wanted = {"email": person().email, "role": "observer", "yes": True}
    answer = admin.http.put(f"/organize/{lab.slug}/organizers", json=wanted)
    assert code(answer) == (409, "too_many_roles")


@pytest.fixture
def other(sessions: SessionFactory, settings: Settings, fomo26: Challenge, clients: Clients) -> Lab:
    """Another challenge, with cases."""
    slug = f"other-{uuid4().hex[:10]}"
    with unit_of_work(sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": slug}), actor="tests")
    other = Lab(sessions, settings, slug, clients)
    other.dataset()
    return other


def test_what_organizers_see_and_decide_ends_at_their_own_challenge(
    lab: Lab, team: Entrant, other: Lab, person: People, admin: Person
) -> None:
    ada, bob = person("Ada"), person("Bob")
    give(lab.sessions, lab.slug, ada, Role.ORGANIZER)
    give(lab.sessions, lab.slug, bob, Role.OBSERVER)
    theirs = other.entrant(person().http, "Elsewhere")
    mine, foreign = team.submit(), theirs.submit()
    for path, of in (("/admin/evaluations", "challenge"), ("/admin/teams", "challenge")):
        for who in (ada, bob):
            assert {one[of] for one in who.http.get(path).json()["items"]} == {lab.slug}, path
            assert code(who.http.get(path, params={"challenge": other.slug})) == (403, "organizers_only")
        for slug in (lab.slug, other.slug):
            listed = admin.http.get(path, params={"challenge": slug}).json()["items"]
            assert {one[of] for one in listed} == {slug}, "an admin sees every challenge's"
    assert [one["id"] for one in ada.http.get("/admin/queue").json()] == [mine]
    found = ada.http.get("/admin/evaluations", params={"id": foreign}).json()["items"]
    assert found == []
    assert code(ada.http.get("/admin/evaluations", params={"team": "Elsewhere"})) == (404, "unknown_team")
    for priority, told in ((1, (403, "admins_only")), (0, (204, "")), (-5, (204, ""))):
        asked = ada.http.put(f"/admin/evaluations/{mine}/priority", json={"priority": priority})
        assert code(asked) == told, priority
    (last,) = admin.http.get("/admin/events", params={"id": mine, "limit": 1}).json()["items"]
    assert (last["what"], last["actor"]) == ("priority 0 → -5", f"user:{ada.id}")
    with unit_of_work(lab.sessions) as session:
        errored = Evaluation.id.in_([UUID(mine), UUID(foreign)])
        session.execute(update(Evaluation).where(errored).values(status=EvaluationStatus.ERRORED))
    for params in ({}, {"challenge": lab.slug}):
        failed = bob.http.get("/admin/errors", params=params).json()["errored"]
        assert [one["id"] for one in failed] == [mine]
    assert code(ada.http.get("/admin/errors", params={"challenge": other.slug})) == (403, "organizers_only")

    sealed = f"/challenges/{lab.slug}/leaderboards/test"
    for path in (sealed, f"{sealed}.csv"):
        assert ada.http.get(path).status_code == bob.http.get(path).status_code == 200
        assert "private" in ada.http.get(path).headers.get("cache-control", "")
        assert code(team.http.get(path)) == (403, "board_sealed")
        assert code(ada.http.get(path.replace(lab.slug, other.slug))) == (403, "board_sealed")

    again = {"why": "the engine was broken"}
    assert ada.http.post(f"/admin/evaluations/{mine}/retry", json=again).status_code == 204

    events = bob.http.get("/admin/events", params={"limit": 200}).json()["items"]
    assert {one["subject"] for one in events} >= {"challenge", "evaluation", "submission", "team"}
    assert not {one["subject"] for one in events} & set(OF_INSTALLATION)
    assert not {one["subject_id"] for one in events} & {foreign, theirs.team}
    every = admin.http.get("/admin/events", params={"limit": 200, "challenge": lab.slug}).json()["items"]
    assert every == events
    whole = admin.http.get("/admin/events", params={"limit": 200}).json()["items"]
    assert theirs.team in {one["subject_id"] for one in whole}
    assert set(OF_CHALLENGES) | OF_INSTALLATION == set(Subject), "say of what a new subject of events is"


def with_metric(spec: Challenge, metric: dict[str, Any]) -> dict[str, Any]:
    """The boards of a file, with one more metric on that of task 5."""
    boards = spec.model_dump(mode="json")["boards"]
    more = boards["task5"]["metrics"] | {"more": metric}
    return {"boards": {**boards, "task5": boards["task5"] | {"metrics": more}}}


def test_an_organizer_s_file_is_of_their_challenge_and_names_no_code_that_no_admin_has_applied(
    lab: Lab,
    other: Lab,
    fomo26: Challenge,
    person: People,
    admin: Person,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada, bob = person("Ada"), person("Bob")
    give(lab.sessions, lab.slug, ada, Role.ORGANIZER)
    give(lab.sessions, lab.slug, bob, Role.OBSERVER)
    module, ran = f"evil_{uuid4().hex}", tmp_path / "ran"
    (tmp_path / f"{module}.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE)

    def sent(who: Person, what: dict[str, Any], path: str = "", overlay: object = None) -> httpx.Response:
        spec = fomo26.model_dump(mode="json") | {"challenge": lab.slug} | what
        body = {"file": yaml.safe_dump(spec, sort_keys=False), "confirmed": True}
        over = {} if overlay is None else {"overlay": yaml.safe_dump(overlay)}
        return who.http.post(f"/admin/challenges{path}", json=body | over)

    evil = with_metric(fomo26, {"metric": f"{module}:metric"})
    for path in ("/plan", ""):
        assert code(sent(ada, {"challenge": other.slug}, path)) == (403, "organizers_only")
        assert code(sent(ada, {"challenge": f"new-{uuid4().hex[:8]}"}, path)) == (403, "admins_only")
        assert code(sent(bob, {"title": "Mine"}, path)) == (403, "organizers_only")
        for metric in (
            {"metric": f"{module}:metric"},
            {"metric": f"{module}:"},
            {"metric": "fairness", "of": f"{module}:metric"},
            {"metric": "auroc", "parts": [{"of": f"{module}:metric"}]},
        ):
            answer = sent(ada, with_metric(fomo26, metric), path)
            assert code(answer) == (422, "challenge_file"), metric
            (problem,) = answer.json()["problems"]
            assert problem["field"].startswith("boards.task5.metrics.more.")
            assert problem["line"] > 1
        hidden = {"boards": {"task5": {"metrics": {"auroc": {"metric": f"{module}:metric"}}}}}
        assert code(sent(ada, {}, path, hidden)) == (422, "challenge_file")
        # No role, and nothing is read: not even what is wrong with the file.
        assert code(sent(person(), evil, path)) == (403, "organizers_only")
    # Nor in a file that a re-evaluation would bring into force.
    again = {"mode": "rescore", "why": "another metric"}
    spec = fomo26.model_dump(mode="json") | {"challenge": lab.slug} | evil
    asked = ada.http.post(f"/organize/{lab.slug}/reevaluations", json=again | {"file": yaml.safe_dump(spec)})
    assert code(asked) == (422, "challenge_file")
    first = ada.http.post(f"/organize/{lab.slug}/reevaluations", json=again | {"priority": 1})
    assert code(first) == (403, "admins_only")
    assert not ran.exists()

    kappa = with_metric(fomo26, {"metric": "lesion_counts.metrics:kappa", "title": "Cohen: kappa"})
    assert code(sent(ada, kappa)) == (422, "challenge_file")
    assert sent(admin, kappa).json()["changed"]
    assert sent(ada, kappa | {"title": "Mine"}).json()["changed"], "an admin has applied this code"
    assert sent(ada, {"title": "Without it"}).json()["changed"]
    assert sent(ada, kappa).json()["changed"], "as an earlier version has it"
    last = admin.http.get("/admin/events", params={"challenge": lab.slug, "limit": 9}).json()["items"]
    assert {(one["what"], one["actor"]) for one in last} >= {("version applied", f"user:{ada.id}")}


def test_the_commands_say_what_a_role_means_and_ask_here_and_elsewhere(
    served: tuple[str, SessionFactory],
    lab: Lab,
    person: People,
    admin: Person,
    command: Admin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada, bob = person("Ada"), person("Bob")
    assert "Nobody but admins organizes" in words(command("organizers", lab.slug))
    asked = command("name-organizer", lab.slug, ada.email)
    assert asked.exit_code == 1
    assert f"Ada ({ada.email}) would decide in {lab.slug}" in words(asked)
    assert command("name-organizer", lab.slug, ada.email, "--yes").exit_code == 0
    assert "Nobody has an account" in words(command("name-organizer", lab.slug, "x@example.org"))
    there = ("--server", served[0])
    monkeypatch.setenv("PROCTOR_TOKEN", ada.token)
    mistyped = command("organizers", lab.slug, "--server", served[0].removeprefix("http://"))
    assert "is no server's address" in words(mistyped)
    assert "Only an admin" in words(command("name-organizer", lab.slug, bob.email, *there))
    done = command("name-organizer", lab.slug, bob.email, "--observer", "--yes", *there)
    assert words(done) == f"{bob.email} is an observer of {lab.slug}."
    assert words(command("organizers", lab.slug, *there)) == words(command("organizers", lab.slug))
    assert '"role": "observer"' in command("organizers", lab.slug, "--json").output
    assert "has no role" in words(command("remove-organizer", lab.slug, "x@example.org", *there))
    assert command("remove-organizer", lab.slug, bob.email, "--yes", *there).exit_code == 0
    refused = command("remove-organizer", lab.slug, ada.email)
    assert refused.exit_code == 1
    assert "Nobody but admins organizes it then." in words(refused)
    assert command("remove-organizer", lab.slug, ada.email, "--yes").exit_code == 0
    assert "Nobody but admins organizes" in words(command("organizers", lab.slug))


def digest_of(lab: Lab, dataset: UUID) -> str:
    """The beginning of a version's digest, as commands take it."""
    with unit_of_work(lab.sessions) as session:
        return session.get_one(Dataset, dataset).digest[7:19]


def test_an_organizer_looks_and_decides_without_a_shell_on_the_server(
    served: tuple[str, SessionFactory],
    lab: Lab,
    team: Entrant,
    other: Lab,
    person: People,
    command: Admin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada = person("Ada")
    give(lab.sessions, lab.slug, ada, Role.ORGANIZER)
    evaluation, there = team.submit(), ("--server", served[0])
    monkeypatch.setenv("PROCTOR_TOKEN", ada.token)
    other.entrant(person().http, "Elsewhere")
    for words_ in (
        ("teams", "--challenge", lab.slug),
        ("submissions", "--challenge", lab.slug),
        ("events", "--challenge", lab.slug),
        ("errors", "--challenge", lab.slug),
        ("datasets", lab.slug),
        ("queue", "--challenge", lab.slug),
    ):
        here, elsewhere = command(*words_, "--json"), command(*words_, "--json", *there)
        assert elsewhere.exit_code == 0, elsewhere.output
        assert elsewhere.output == here.output, words_
    assert "Elsewhere" not in command("teams", *there).output
    assert "Only an admin" in words(command("people", *there))

    assert "only an admin gives it" in words(command("priority", 5, evaluation, *there))
    assert "Nothing was changed" in words(command("priority", *there, "--", -5, "ffffffff"))
    done = command("priority", *there, "--team", "The Team", "--", -5)
    assert done.output == "1 of 1 evaluation changed to priority -5\n"

    with unit_of_work(lab.sessions) as session:
        row = session.get_one(Evaluation, UUID(evaluation))
        row.runs[0].log, pseudonym = "No weights.", row.runs[0].pseudonym
        row.status, row.trouble = EvaluationStatus.ERRORED, "It hung."
    shown = command("show", evaluation[:-2], *there)
    assert "It hung." in shown.output
    assert pseudonym in shown.output
    assert command("show", evaluation, "--log", pseudonym, *there).output == "No weights.\n"
    assert "has no case" in words(command("show", evaluation, "--log", "nope", *there))
    assert "Nothing that you may see" in words(command("show", str(uuid4()), *there))
    assert "is errored; only one that was rejected" in words(command("excuse", evaluation, *there))
    assert command("retry", evaluation, "--why", "mended", *there).exit_code == 0


def test_an_organizer_changes_cases_and_file_without_a_shell_on_the_server(
    served: tuple[str, SessionFactory],
    lab: Lab,
    fomo26: Challenge,
    person: People,
    command: Admin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada, there = person("Ada"), ("--server", served[0])
    give(lab.sessions, lab.slug, ada, Role.ORGANIZER)
    monkeypatch.setenv("PROCTOR_TOKEN", ada.token)
    old, new = (digest_of(lab, lab.dataset(cases=2)) for _ in range(2))
    assert "say one version" in words(command("activate-dataset", old, *there))
    of = ("--challenge", lab.slug, *there)
    assert "there begin so: none" in words(command("activate-dataset", "ffffffffffff", *of))
    assert "in force; no evaluation is concerned" in words(command("activate-dataset", old, *of))
    lab.settings.references.mkdir(exist_ok=True)  # where nothing was imported there is none
    asked = command("drop-dataset", new, *of)
    assert asked.exit_code == 1
    assert "Their files are removed" in words(asked)
    assert words(command("drop-dataset", new, *of, "--yes")).startswith("1 version dropped, ")
    assert "dropped already" in words(command("drop-dataset", new, *of, "--yes"))

    file, overlay = tmp_path / "mine.yaml", tmp_path / "site.yaml"
    file.write_text(yaml.safe_dump(fomo26.model_dump(mode="json") | {"challenge": lab.slug, "title": "Mine"}))
    overlay.write_text("phases: {test: {board: public}}\n")
    both = ("apply", file, "--overlay", overlay)
    for form in (("--plan",), ()):
        here, elsewhere = command(*both, *form), command(*both, *form, *there)
        assert elsewhere.output == here.output, form
        assert elsewhere.exit_code == here.exit_code == (0 if form else 1)
    assert "  title: FOMO26 → Mine" in elsewhere.output
    assert "everybody would see it" in elsewhere.output
    assert "applied, version" in command("apply", file, *there).output
    overlay.write_text("limits:\n  memory: 64\n")
    wrong = command(*both, *there)
    assert (wrong.exit_code, wrong.output) == (1, command(*both).output)
    assert wrong.output.startswith("site.yaml:2: limits.memory: ")
