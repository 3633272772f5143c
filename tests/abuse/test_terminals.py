"""Tried: what a container, host, team, file or server says makes an organizer's terminal do something.

Every command of `proctor`, `proctor-admin` and the evaluator is run with such texts wherever one can come from, and
what it prints is looked at byte by byte.
"""

import ast
import io
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import typer
import yaml
from click.testing import Result
from rich.table import Table as RichTable
from rich.text import Text as RichText
from sqlalchemy import ColumnElement, Enum, String, Table, select, text, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from client.commands import app as client_app
from client.trying import show
from evaluator.cli import app as evaluator_app
from evaluator.spec import Challenge
from evaluator.terminal import Console, harmless, harmless_json, in_line
from evaluator.verdicts import Fault, Verdict
from sandbox.jobs import CaseOutcome
from server.accounts.principals import Organizer
from server.challenges.service import get_challenge
from server.consent.drafts import Draft
from server.consent.service import publish
from server.database import Base, unit_of_work
from server.evaluations.models import Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.teams.models import Membership
from tests.abuse.hostile_server import EVIL, hostile_server
from tests.server.conftest import FOMO26
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin
from worker.admin.commands import commands

ROOT = Path(__file__).parents[2]


def marks(text: str) -> set[str]:
    """The characters of `text` that a terminal does not simply print."""
    return {
        one for one in text if not (one.isprintable() or one in "\n\t") or unicodedata.category(one) == "Cf"
    }


def assert_harmless(result: Result) -> None:
    raised = result.exception
    assert raised is None or isinstance(raised, SystemExit), (raised, result.exc_info)
    assert not marks(result.stdout + result.stderr), result.output


def test_whatever_a_character_commands_is_gone_and_letters_stay() -> None:
    for point in (
        *range(0x3000),
        *range(0xD7FF, 0xE010),
        *range(0xFE00, 0x10000),
        0xE0001,
        0xE0041,
        0x10FFFF,
    ):
        one = chr(point)
        assert not marks(harmless(f"a{one}b")), hex(point)
        assert not set(in_line(f"a{one}b")) & set("\n\t"), hex(point)
    kept = "Zoë Müller, 渡辺, Ελένη, مرحبا, 5 µm ≤ 1 €\n\tdone – “so” 🧠"
    assert harmless(kept) == kept
    assert harmless("10 %\r20 %\r\nend") == "10 %\n20 %\nend"
    assert len(harmless("Z" + "\u0301" * 1000)) < 10, "no tower of marks"


def test_json_stays_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    shown = harmless_json(json.dumps({EVIL: [EVIL]}, ensure_ascii=False))
    assert not marks(shown)
    assert json.loads(shown) == {EVIL: [EVIL]}


def test_a_console_with_colours_sends_no_command_but_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=60)
    table = RichTable(title=EVIL, caption=EVIL)
    table.add_column(EVIL)
    table.add_row(EVIL)
    table.add_row(RichText(EVIL, style="red"))
    table.add_row(RichText.assemble((EVIL, "bold link http://e.example")))
    for one in (EVIL, RichText(EVIL), table):
        console.print(one, style="red")
    assert not marks(re.sub("\x1b\\[[0-9;]*m", "", out.getvalue()))
    assert not re.search("\x1b\\[[0-9;]*\\b8m", out.getvalue()), "nothing is hidden"
    assert "[red]r[/red]" in out.getvalue(), "markup of others is text"


WRITES = ("print", "typer.echo", "typer.secho", "typer.prompt", "typer.confirm", "click.echo", "rich.print")
ONLY_HERE = ("print_json", "input")
ALLOWED = {("client/main.py", "sys.stderr.write"), ("worker/admin/main.py", "sys.stderr.write")}
"""Fixed sentences, said where the libraries are not there."""


def test_nothing_but_the_one_module_writes_to_a_terminal() -> None:
    found = []
    folders = ("client", "worker/admin", "evaluator/cli", "worker/run", "worker/score")
    for path in (
        *(one for folder in folders for one in (ROOT / folder).rglob("*.py")),
        ROOT / "sandbox/__main__.py",
    ):
        name = str(path.relative_to(ROOT))
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                markup = any(
                    one.arg in ("markup", "emoji") and ast.unparse(one.value) != "False"
                    for one in node.keywords
                )
                direct = called in WRITES or called.endswith((".stdout.write", ".stderr.write"))
                if (
                    (direct and (name, called) not in ALLOWED)
                    or called.rpartition(".")[2] in ONLY_HERE
                    or markup
                ):
                    found.append(f"{name}:{node.lineno} {called}")
                if called == "sys.exit" and node.args and "/main.py" not in name:
                    found += [f"{name}:{node.lineno} sys.exit with a text"] * isinstance(
                        node.args[0], ast.JoinedStr
                    )
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich"):
                names = {one.name for one in node.names if one.asname is None}
                if (node.module == "rich.console" and "Console" in names) or node.module == "rich.markup":
                    found.append(f"{name}:{node.lineno} from {node.module}")
    assert not found, "\n".join(found)


CLIENT = {
    "login": ["login", "URL", "--token", "t"],
    "logout": ["logout"],
    "export-me": ["export-me"],
    "register": ["register", "URL", "--name", EVIL, "--email", "a@example.org", "--password", "p" * 12],
    "passwd": ["passwd"],
    "watch": ["watch"],
    "watch json": ["watch", "--json"],
    "cancel": ["cancel", "an-id"],
    "challenge": ["challenge"],
    "receipt": ["receipt", "an-id"],
    "verify": ["verify", EVIL],
    "attempts": ["attempts"],
    "attempts json": ["attempts", "--json"],
    "quota": ["quota"],
    "quota json": ["quota", "--json"],
    "results": ["results"],
    "results json": ["results", "--json"],
    "submit": ["submit", f"no{EVIL}.tar"],
    "try": ["try", EVIL, "--task", EVIL, "--cases", "CASES", "--challenge", "fomo26"],
    "init": ["init", f"no{EVIL}", "--task", EVIL, "--challenge", "fomo26"],
    "init of a kind": ["init", f"no{EVIL}", "--kind", EVIL],
    "init from": ["init", f"no{EVIL}", "--task", EVIL, "--from", EVIL],
    "images": ["images"],
    "verify-address": ["verify-address", "--send"],
    "change-address": ["change-address", EVIL, "--password", "p" * 12],
    "identities": ["identities", "--link", EVIL],
    "login with": ["login", "URL", "--with", EVIL],
    "token create": ["token", "create", EVIL, "--password", "p" * 12],
    "token list": ["token", "list"],
    "token revoke": ["token", "revoke", EVIL],
    "sessions": ["sessions"],
    "close-account": ["close-account", "--password", "p" * 12],
    "agree": ["agree", "--accept", "0000"],
    "agree json": ["agree", "--json"],
    "ask": ["ask", EVIL],
    "questions": ["questions"],
    "questions json": ["questions", "--json"],
    "notices": ["notices"],
    "notices json": ["notices", "--json"],
    "notice settings": ["notices", "--settings"],
    "notice mail": ["notices", "--mail", f"{EVIL}=on"],
    "webhooks": ["webhooks"],
    "webhooks add": ["webhooks", "add", EVIL],
    "webhooks json": ["webhooks", "--json"],
    "team invitations": ["team", "invitations"],
    "team create": ["team", "create", EVIL],
    "team invite": ["team", "invite"],
    "team join": ["team", "join", "code"],
    "team show": ["team", "show"],
    "team leave": ["team", "leave", "--yes"],
    "a typing error": ["watch", EVIL, EVIL],
    "no such command": [EVIL],
    "no such option": [f"--{EVIL}"],
    "wrong value": ["try", "x", "--task", "t", "--cases", EVIL, "--challenge", "c", "--first", EVIL],
}


WRONG = {
    "agree",
    "init",
    "init of a kind",
    "init from",
    "submit",
    "try",
    "verify",
    "cancel",
    "token revoke",
    "notice mail",
    "close-account",
    "a typing error",
    "no such command",
    "no such option",
    "wrong value",
}
SHOWN = {
    "login",
    "watch",
    "watch json",
    "challenge",
    "attempts",
    "attempts json",
    "quota",
    "quota json",
    "results",
    "results json",
    "receipt",
    "team show",
    "team join",
    "agree json",
    "ask",
    "questions",
    "questions json",
    "notices",
    "notices json",
    "notice settings",
    "webhooks",
    "webhooks add",
    "webhooks json",
    "images",
    "token list",
    "sessions",
    "identities",
    "login with",
    "team invitations",
}
"""Calls that are refused here, and those that show texts of the server."""


def flat(text: str) -> str:
    """Without the lines and columns into which it was laid out."""
    return re.sub(r"[\s│]", "", text)


def test_every_command_of_the_client_is_tried() -> None:
    group: Any = typer.main.get_command(client_app)
    there = {
        f"{name} {one}"
        for name, command in group.commands.items()
        for one in getattr(command, "commands", ())
    } | {name for name, command in group.commands.items() if not getattr(command, "commands", ())}
    assert there <= set(CLIENT)


@pytest.mark.parametrize("refuses", [False, True])
def test_a_hostile_server_commands_no_terminal(
    refuses: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_CONFIG_DIR", str(tmp_path))
    with hostile_server(refuses=refuses) as url:
        for what, words in CLIENT.items():
            (tmp_path / "login.json").write_text(json.dumps({"url": url, "token": "t", "token_id": "i"}))
            given = [url if one == "URL" else str(tmp_path) if one == "CASES" else one for one in words]
            result = CliRunner().invoke(
                client_app, given, input="old password\nnew password 1\nnew password 1\n"
            )
            assert_harmless(result)
            assert refuses or what in WRONG or result.exit_code in (0, 1), (what, result.output)
            assert refuses or what not in SHOWN or "[red]r[/red]" in flat(result.stdout), result.output


def test_what_a_container_wrote_is_shown_by_try_as_text(
    capsys: pytest.CaptureFixture[str], fomo26: Challenge
) -> None:
    outcome = CaseOutcome(
        verdict=Verdict(Fault.EXIT_CODE, message=EVIL, warnings=(EVIL,)),
        output=None,
        seconds=1.0,
        peak_memory_bytes=None,
        exit_code=1,
        oom_killed=False,
        log=EVIL,
        options={},
        detail=EVIL,
    )
    show(EVIL, outcome, fomo26.limits)
    said = capsys.readouterr()
    assert "[red]r[/red]" in said.out
    assert not marks(said.out + said.err)


_KEPT = {
    "kind",
    "status",
    "subject",
    "state",
    "hash",
    "digest",
    "before",
    "password_hash",
    "name_key",
    "phase",
    "track",
    "task",
    "mode",
}
_KEPT |= {"needs_runtime", "verdict", "output", "evaluator_version", "scopes"}
"""Columns whose texts are of a closed list, digests, or the platform's own keys."""
_SPOILT = (
    "worker_slots",
    "case_runs",
    "cases",
    "evaluations",
    "troubles",
    "questions",
    "agreements",
)


@pytest.fixture
def spoilt(lab: Lab, team: Entrant) -> str:
    """An installation with something evil in every text that somebody else wrote; the id of an errored evaluation."""
    evaluation = team.submit()
    team.submit(track="method")
    worker = lab.worker()
    assert worker.finish(worker.take(), fault="exit_code").status_code == 204
    assert worker.release(worker.take(), "gpu_fault", "broken") == 204
    worker.take()
    assert worker.http.put(f"/worker/slots/{worker.name}", json={"unfit": "why"}).status_code == 204
    question = {"text": "May we?", "task": "task5"}
    assert team.http.post(f"/challenges/{lab.slug}/questions", json=question).status_code == 201
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        organizer = Organizer(challenge.id, "tests")
        publish(session, organizer, challenge, Draft("rules", "Rules", "Play fair.", None, False))
        row = session.get_one(Evaluation, UUID(evaluation))
        row.status, row.reason_code, row.reason, row.trouble = "errored", "gpu_fault", EVIL, EVIL
        session.flush()
        tables = Base.metadata.tables
        for name in _SPOILT:
            spoil(session, tables[name])
        session.execute(text("SET LOCAL session_replication_role = replica"))  # the log refuses it otherwise
        spoil(session, tables["events"])
        session.execute(text("SET LOCAL session_replication_role = origin"))
        members = select(Membership.user_id).where(Membership.team_id == UUID(team.team))
        spoil(session, tables["users"], tables["users"].c.id.in_(members))
        spoil(session, tables["teams"], tables["teams"].c.id == UUID(team.team))
        ours = select(WorkerSlot.worker_id)
        spoil(session, tables["api_tokens"], tables["api_tokens"].c.id.in_(ours))
    return evaluation


def spoil(session: Session, table: Table, *which: ColumnElement[bool]) -> None:
    """Writes something evil, another one in each row, into every free text of a table."""
    texts = [
        one
        for one in table.columns
        if isinstance(one.type, String) and not isinstance(one.type, Enum) and one.name not in _KEPT
    ]
    for old in session.execute(select(table).where(*which)).mappings().all():
        evil = {one.name: f"{EVIL}{uuid4().hex}" for one in texts if old[one.name] is not None}
        if evil:
            session.execute(
                update(table).where(*(key == old[key.name] for key in table.primary_key.columns)).values(evil)
            )


SHOWN_TO_ADMINS = {
    *(
        "agreements",
        "errors",
        "events",
        "people",
        "questions",
        "queue",
        "slots",
        "submissions",
        "show",
        "teams",
    ),
    *("usage", "workers"),
}


def words_of(command: str, evaluation: str, slug: str, tmp_path: Path) -> list[list[str]]:
    """How a command is called; one that is not listed is called wrongly, in an evil way."""
    listed = {
        "apply": [
            [str(tmp_path / EVIL.replace("/", "")), "--plan"],
            [str(evil_file(tmp_path, slug)), "--plan"],
        ],
        "audit": [["head"], ["--anchor", EVIL], ["verify", "--from", EVIL], [EVIL]],
        "backup": [[str(tmp_path / "backup"), "--data", str(tmp_path / EVIL.replace("/", ""))]],
        "restore": [[str(tmp_path / EVIL.replace("/", ""))]],
        "datasets": [[slug], [slug, "--json"], [EVIL]],
        "activate-dataset": [[EVIL]],
        "drop-dataset": [[EVIL]],
        "correct-dataset": [
            ["0" * 8, "--challenge", slug, "--why", EVIL, *more]
            for more in ([], ["--withdraw", EVIL], ["--label", EVIL], ["--label-file", f"a={EVIL}"])
        ],
        "errors": [[], ["--json"], ["--challenge", EVIL], ["--since", EVIL]],
        "events": [[], ["--json"], ["--csv"], ["--actor", EVIL], ["--since", EVIL], [EVIL]],
        "retry": [[EVIL], [evaluation[:-1]], []],
        "forecast": [[], ["--json"]],
        "import-dataset": import_words(tmp_path, slug),
        "check-dataset": import_words(tmp_path, slug),
        "people": [[], ["--json"], [EVIL]],
        "person": [[EVIL]],
        "gc": [[slug, "--dry-run"], [slug, "--json", "--dry-run"], [slug, "--kinds", EVIL], [EVIL]],
        "create-admin": [[EVIL], ["a@example.org", "--name", EVIL, "--password-stdin"]],
        "reset-password": [[EVIL]],
        "queue": [[], ["--json"], ["--team", EVIL]],
        "priority": [["5", "--team", EVIL], ["5", EVIL]],
        "release": [[slug, EVIL], [EVIL, "validation"]],
        "agreements": [[slug], [slug, "--of", "0"], [slug, "--json"], [EVIL]],
        "publish-agreement": [[slug, str(tmp_path / EVIL.replace("/", "")), "--title", EVIL]],
        "questions": [[slug], [slug, "--json"], [EVIL]],
        "answer": [[slug, EVIL, EVIL], [EVIL, "x", EVIL]],
        "announce": [[slug, EVIL], [EVIL, "x"]],
        "usage": [[slug], [slug, "--json"], [EVIL]],
        "slots": [[], ["--json"]],
        "submissions": [[], ["--json"], ["--team", EVIL], [EVIL]],
        "show": [[evaluation], [evaluation, "--json"], [evaluation, "--log", EVIL], [EVIL]],
        "find": [["evil"], ["evil", "--json"], [evaluation], [EVIL]],
        "status": [[], ["--json"]],
        **{name: [[EVIL]] for name in ("drain-worker", "resume-worker", "retire-worker", "rotate-worker")},
        "suspect": [[EVIL, "--why", EVIL]],
        "teams": [[], ["--json"], [EVIL]],
        "worker-token": [[EVIL]],
        "workers": [[], ["--json"], [EVIL]],
        "revoke-worker": [[EVIL]],
        "up": [["--data", str(tmp_path / EVIL.replace("/", "")), "--port", EVIL]],
        "doctor": [["--json"], ["--profile", EVIL]],
    }
    return listed.get(command, [[f"--{EVIL}"], [EVIL] * 7])


def evil_file(tmp_path: Path, slug: str) -> Path:
    content = yaml.safe_load(FOMO26.read_text())
    content["challenge"], content["title"] = slug, "T\u202eitle \u009b2J [red]x[/red]"
    path = tmp_path / "challenge.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def import_words(tmp_path: Path, slug: str) -> list[list[str]]:
    folder = tmp_path / "Task_5"
    for name in ("sub_\x1b[2J\u202e", "sub_[red]x[/red]\n"):
        (folder / "preprocessed" / name / "ses_1").mkdir(parents=True, exist_ok=True)
        (folder / "preprocessed" / name / "ses_1" / "t1\x9b.nii.gz").write_bytes(b"no gzip")
        (folder / "labels" / name / "ses_1").mkdir(parents=True, exist_ok=True)
        (folder / "labels" / name / "ses_1" / "label.txt").write_text("\x1b[31m")
    place = ["--challenge", slug, "--task", "task5", "--phase", "validation"]
    return [
        [str(folder), *place],
        [str(tmp_path / EVIL.replace("/", "")), *place],
        [str(folder), *place[:-1], EVIL],
    ]


@pytest.mark.parametrize("columns", ["60", pytest.param("400", marks=pytest.mark.long)])
def test_no_command_of_the_admins_shows_anything_raw(
    columns: str, spoilt: str, command: Admin, slug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for one in commands():
        shown = ""
        for words in words_of(one.name, spoilt, slug, tmp_path):
            result = command(one.name, *words)
            assert_harmless(result)
            shown += result.stdout
        if columns == "400" and one.name in SHOWN_TO_ADMINS:
            assert "[red]r[/red]" in flat(shown), (one.name, "markup of others is text", shown)
    assert_harmless(command(EVIL))


def test_the_evaluator_shows_names_of_teams_and_files_as_text(tmp_path: Path) -> None:
    name = EVIL.replace("/", "").replace("\0", "")
    scores = tmp_path / "scores.csv"
    quoted = '"' + EVIL.replace("\n", " ").replace("\r", " ") + '"'
    scores.write_text(f"team,track,task,metric,value\n{quoted},open,task5,mae,1.0\nb,open,task5,mae,2.0\n")
    file = str(ROOT / "challenges" / "fomo25" / "challenge.yaml")
    evil = evil_file(tmp_path, "fomo-evil")
    (tmp_path / "reports" / name / "open").mkdir(parents=True)
    (tmp_path / "reports" / name / "open" / "task1.json").write_text(f'{{"board": "{name[:1]}"}}')
    rest = ["--predictions", name, "--json", "-"]
    calls = [
        ["rank", "--challenge", file, "--scores", str(scores)],
        ["rank", "--challenge", file, "--scores", str(scores), "--json"],
        ["rank", "--challenge", str(evil), "--scores", str(scores), "--explain"],
        ["rank", "--challenge", str(tmp_path / name), "--scores", str(scores)],
        ["rank", "--challenge", file, "--reports", str(tmp_path / "reports")],
        [
            "report",
            "--challenge",
            file,
            "--reports",
            str(tmp_path / "reports"),
            "--out",
            str(tmp_path / name),
        ],
        ["calibrate", "--challenge", file, str(tmp_path / "reports"), "--json", name],
        ["calibrate", "--challenge", file, name, "--classes", EVIL],
        ["calibrate", "--challenge", file, str(tmp_path / "reports" / name / "open" / "task1.json")],
        ["check", "--challenge", file, "--task", EVIL, "--output", name, "--inputs", str(tmp_path)],
        [
            "check",
            "--challenge",
            file,
            "--task",
            "task1",
            "--output",
            str(tmp_path / name),
            "--inputs",
            str(tmp_path),
        ],
        ["score", "--challenge", file, "--board", EVIL, "--manifest", name, "--references", name, *rest],
        ["rank", EVIL],
        [EVIL],
    ]
    for words in calls:
        assert_harmless(CliRunner().invoke(evaluator_app, words))


def test_logs_keep_names_in_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    program = (
        "import sys, structlog\nfrom contract.logs import configure\nconfigure()\nlog = structlog.get_logger()\n"
        "log.error('said', detail=sys.argv[1])\n"
        "try: raise ValueError(sys.argv[1])\n"
        "except ValueError: log.exception('failed')\n"
    )
    words = [sys.executable, "-c", program, EVIL]
    ended = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=True, errors="surrogateescape"
    )
    assert not marks(ended.stderr), ended.stderr
    assert ended.stderr.splitlines()[0].count("\ufffd") > 5
    assert ended.stderr.splitlines()[1].find("failed") > 0, "one event, one line"
