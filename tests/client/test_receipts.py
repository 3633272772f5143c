"""`proctor receipt` and `proctor verify`: what holds, and what is wrong with what does not."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evaluator.signing import canonical
from server.database import unit_of_work
from server.evaluations import receipts
from server.evaluations.models import Evaluation
from server.evaluations.receipt_keys import require_own_key
from server.evaluations.result_models import Receipt
from server.settings import Settings
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Server
from tests.client.test_submit import OPEN, Status, end, submitted


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    image_archive(tmp_path / "image.tar", noise=512)
    return tmp_path / "image.tar"


def test_a_receipt_is_fetched_and_verified_without_the_server(
    mine: Cli, server: Server, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = submitted(mine("submit", archive, "-t", "task1", "-t", "task5", *OPEN, "--no-git").output)
    file = tmp_path / "receipt.json"
    assert "a receipt is signed when it is" in mine("receipt", submission, "-t", "task1").output
    end(server, submission, Status.SCORED)
    settings = Settings.model_validate(
        {"data": tmp_path, "secret_key": "k" * 40, "DATABASE_URL": "postgresql+psycopg://nowhere"}
    )
    with unit_of_work(server.sessions) as session:
        require_own_key(session, settings)
        for row in session.query(Evaluation).filter_by(submission_id=UUID(submission)):
            said = receipts.statement(row, {}, source=None)
            session.add(
                Receipt(evaluation_id=row.id, statement=said, signature=receipts.sign(said, settings))
            )
    assert "Name one with --task: task1, task5." in mine("receipt", submission).output
    done = mine("receipt", submission, "-t", "task1", "-o", file)
    assert done.exit_code == 0, done.output
    monkeypatch.delenv("PROCTOR_TOKEN")
    monkeypatch.setenv("PROCTOR_URL", "http://127.0.0.1:9")
    verified = mine("verify", file, "--image", archive)
    assert verified.exit_code == 0, verified.output
    assert f"{server.url} named it when the receipt was fetched" in verified.output
    assert "hidden cases, by verdict: none" in verified.output, "the test made it of no case"
    assert "task1: auroc 0.875" in verified.output
    assert "it declares no pretrained checkpoint" in verified.output
    assert f"{archive} is the image that ran" in verified.output
    image_archive(tmp_path / "other.tar", noise=1024)
    other = mine("verify", file, "--image", tmp_path / "other.tar")
    assert other.exit_code == 1
    assert "is another image: sha256:" in other.output


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(**content: object) -> Path:
        path = tmp_path / "receipt.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_what_was_changed_or_signed_by_another_does_not_verify(
    cli: Cli, written: Callable[..., Path], tmp_path: Path
) -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    statement = {"receipt": 1, "image": "sha256:0", "team": "\x1b[2J", "scores": {"task1": {"auroc": 0.5}}}
    signature = base64.b64encode(key.sign(canonical(statement))).decode()
    bare = {"statement": statement, "signature": signature, "key": public(key)}
    done = cli("verify", written(**bare))
    assert done.exit_code == 0, done.output
    assert "nobody but the receipt itself names it" in done.output
    assert "\x1b" not in done.output
    keys = tmp_path / "keys"
    for content in (
        public(key),
        json.dumps({"key": public(key)}),
        json.dumps([{"key": public(other)}, bare]),
    ):
        keys.write_text(content)
        done = cli("verify", written(**bare), "--key", keys)
        assert (done.exit_code, f"one of those in {keys}" in done.output) == (0, True), done.output
    keys.write_text(public(other))
    for changed in (
        {"statement": statement | {"image": "sha256:1"}},
        {"key": public(other)},
        {"signature": "no base64"},
        {"key": None},
    ):
        done = cli("verify", written(**bare | changed))
        assert done.exit_code == 1, done.output
        assert "The receipt does not verify" in done.output
    assert cli("verify", written(**bare), "--key", keys).exit_code == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"statement": 1}', "[" * 100_000, '{"receipt": {}}'])
def test_a_file_that_is_no_receipt_is_said_to_be_none(cli: Cli, tmp_path: Path, content: str) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(content)
    done = cli("verify", path)
    assert (done.exit_code, "is no receipt" in done.output) == (6, True), done.output
    assert cli("verify", tmp_path / "nothing").exit_code == 6
