"""What leaves the platform: webhooks and mails, to real receivers that fail, hang and lie before they work."""

import asyncio
import email
import ipaddress
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, update

from contract.notices import Channel, DeliveryStatus
from contract.statuses import EvaluationStatus
from server.accounts.models import Account
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.evaluations.models import Evaluation
from server.lookout.ends import tell_ended
from server.mail_server import mail_server
from server.notices.models import Notice
from server.outbox.models import OutboxMessage
from server.outbox.service import enqueue_mail, enqueue_webhook
from server.outbox.tries import Tried, take
from server.outgoing.outcomes import settle
from server.settings import Outgoing, Settings
from server.submissions.models import Submission
from server.webhooks.addresses import is_public, target_of
from server.webhooks.models import Endpoint
from tests.server.conftest import Person, serving
from tests.server.lab import Entrant, Json, Lab
from tests.server.receivers import free_port, hook, post_office
from tests.server.test_scoring_faults import in_scoring
from worker.courier import web
from worker.courier.courier import Courier

DOCS = Path(__file__).parents[2] / "docs/notices.md"
FROM = "Proctor <proctor@hospital.example>"


@pytest.fixture
def quiet(sessions: SessionFactory) -> None:
    """Nothing of other tests waits to leave."""
    with unit_of_work(sessions) as session:
        session.execute(update(Notice).values(dispatched_at=func.now()))
        queued = update(OutboxMessage).where(OutboxMessage.status == DeliveryStatus.QUEUED)
        session.execute(queued.values(status=DeliveryStatus.GIVEN_UP, ended_at=func.now()))


@pytest.fixture
def hospital(settings: Settings) -> Iterator[str]:
    """The same installation, whose operator lets webhooks go to addresses of this network."""
    with serving(create_app(settings.model_copy(update={"webhooks_private": "allow"}))) as url:
        yield f"{url}/api/v1"


@pytest.fixture
def delivering(sessions: SessionFactory, settings: Settings, quiet: None) -> Callable[..., Any]:
    """Runs a courier that has no patience."""

    @contextmanager
    def run(
        smtp: str | None = None, private: str | None = "allow", context: ssl.SSLContext | None = None
    ) -> Any:
        told = {"DATABASE_URL": settings.database_url, "smtp_url": smtp, "webhooks_private": private}
        outgoing = Outgoing.model_validate(told | {"mail_from": FROM if smtp else None})
        pause = timedelta(milliseconds=20)
        courier = Courier(sessions, outgoing, first_pause=pause, look_every=0.02, context=context)
        loop = asyncio.new_event_loop()
        work = loop.create_task(courier.work())

        def until_cancelled() -> None:
            with pytest.raises(asyncio.CancelledError):
                loop.run_until_complete(work)
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

        thread = threading.Thread(target=until_cancelled)
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(work.cancel)
            thread.join()

    return run


def until(what: Callable[[], Any]) -> Any:
    """What `what` says once it says something."""
    ends = time.monotonic() + 60
    while not (found := what()):
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)
    return found


def deliveries(sessions: SessionFactory, *which: Any) -> list[OutboxMessage]:
    with unit_of_work(sessions) as session:
        return list(session.scalars(select(OutboxMessage).where(*which).order_by(OutboxMessage.created_at)))


def ended(sessions: SessionFactory, *which: Any) -> list[OutboxMessage]:
    """Those of them that have ended, if all have."""
    rows = deliveries(sessions, *which)
    return rows if rows and all(row.ended_at for row in rows) else []


def added(http: httpx.Client, base: str, where: str, url: str, *kinds: str) -> Json:
    answer = http.post(f"{base}{where}/webhooks", json={"url": url, "kinds": kinds})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def verify(headers: dict[str, str], body: bytes, secret: str) -> Json:
    """As docs/notices.md shows it to receivers, word for word."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    known: dict[str, Any] = {}
    exec(code, known)  # noqa: S102 - our own page
    return dict(known["verified"](headers, body, secret))


def notices(http: httpx.Client, **asked: Any) -> list[Json]:
    answer = http.get("/notices", params=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def verified(sessions: SessionFactory, address: str) -> None:
    """The address is shown to be its account's."""
    with unit_of_work(sessions) as session:
        session.execute(update(Account).where(Account.email == address).values(verified_at=func.now()))


def test_no_mail_goes_to_an_address_that_nobody_has_shown_to_be_theirs(
    lab: Lab, team: Entrant, admin: Person, sessions: SessionFactory, delivering: Callable[..., Any]
) -> None:
    address, port = team.http.get("/me").json()["email"], free_port()
    assert team.http.get("/notices/settings").json()["address_verified"] is False
    where = f"/organize/{lab.slug}/announcements"
    with post_office(port) as office, delivering(smtp=f"smtp://127.0.0.1:{port}"):
        admin.http.post(where, json={"text": "Not by mail."})
        until(lambda: gone_out(sessions, "Not by mail."))
        verified(sessions, address)
        admin.http.post(where, json={"text": "By mail."})
        (sent,) = until(lambda: office.to(address))
    assert "By mail." in email.message_from_bytes(sent.content, policy=default).get_content()
    assert [notice["text"] for notice in notices(team.http)] == ["By mail.", "Not by mail."]


def gone_out(sessions: SessionFactory, text: str) -> bool:
    """Whether mails and webhooks were made of what was told so."""
    with unit_of_work(sessions) as session:
        mine = select(Notice).where(Notice.text == text).order_by(Notice.id.desc()).limit(1)
        return session.scalars(mine).one().dispatched_at is not None


def test_from_a_submission_to_every_notice_by_receivers_that_fail_first(
    lab: Lab,
    team: Entrant,
    sessions: SessionFactory,
    hospital: str,
    delivering: Callable[..., Any],
) -> None:
    port, address = free_port(), team.http.get("/me").json()["email"]
    verified(sessions, address)
    with hook(500, "drop", (302, "http://127.0.0.1:1/"), 204) as receiver:
        made = added(team.http, hospital, f"/teams/{team.team}", receiver.url, "submission.ended")
        evaluation = in_scoring(lab, team)
        with delivering(smtp=f"smtp://127.0.0.1:{port}"):
            with unit_of_work(sessions) as session:
                while tell_ended(session):
                    pass  # what other tests have left
                row = session.get_one(Evaluation, UUID(evaluation))
                assert session.get_one(Submission, row.submission_id).told_at is None, "it has not ended"
                row.move_to(session, EvaluationStatus.SCORED, actor="tests")
                submission = str(row.submission_id)
            with unit_of_work(sessions) as session:
                assert tell_ended(session) == 1
            with unit_of_work(sessions) as session:
                assert tell_ended(session) == 0, "once"
            of_mail = OutboxMessage.address == address
            refused = until(lambda: [row for row in deliveries(sessions, of_mail) if row.error])
            assert "Connection refused" in str(refused[0].error)
            with post_office(port, "450 try again") as office:
                (mail,) = until(lambda: ended(sessions, of_mail))
                (sent,) = until(lambda: ended(sessions, OutboxMessage.endpoint_id == UUID(made["id"])))

    (notice,) = notices(team.http)
    assert (notice["kind"], notice["read_at"]) == ("submission.ended", None)
    assert "Polymicrogyria classification: scored" in notice["text"]
    assert notice["about"] == {"submission": submission, "team": team.team, "phase": "validation"}

    assert (sent.status, sent.attempts, sent.payload) == ("delivered", 4, {})
    told = [verify(headers, body, made["secret"]) for headers, body in receiver.got]
    assert all(one == told[0] for one in told)
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {f"msg_{sent.id}"}, (
        "by which it is known"
    )
    assert told[0]["type"] == "submission.ended"
    assert told[0]["data"] == {**notice["about"], "notice": notice["id"], "challenge": lab.slug}
    headers, body = receiver.got[-1]
    for wrong in (made["secret"][:-2] + "A=", made["secret"]):
        with pytest.raises(ValueError, match="signature"):
            verify(headers, body + b" " * (wrong == made["secret"]), wrong)

    assert (mail.status, mail.payload) == ("delivered", {})
    assert mail.attempts > 2
    (envelope,) = office.to(address)
    message = email.message_from_bytes(envelope.content, policy=default)
    assert (message["From"], message["To"]) == (FROM, address)
    assert message["Message-ID"] == f"<{mail.id}@hospital.example>"
    assert notice["title"] in message["Subject"]
    assert "Polymicrogyria classification: scored" in message.get_content()


def test_a_receiver_that_hangs_lies_or_is_gone_keeps_nobody_waiting(
    lab: Lab,
    team: Entrant,
    admin: Person,
    sessions: SessionFactory,
    hospital: str,
    delivering: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web, "SECONDS", 1.0)
    where = f"/organize/{lab.slug}"
    with (
        hook("hang") as hangs,
        hook(410) as gone,
        hook(204) as works,
        hook(204) as inward,
        hook((307, inward.url)) as lies,
    ):
        made = {
            name: added(admin.http, hospital, where, receiver.url, "announcement")["id"]
            for name, receiver in {"hangs": hangs, "gone": gone, "works": works, "lies": lies}.items()
        }

        def listed() -> dict[str, Json]:
            rows = {row["id"]: row for row in admin.http.get(f"{where}/webhooks").json()}
            return {name: rows[webhook] for name, webhook in made.items()}

        def is_known() -> dict[str, Json]:
            of = listed()
            said = {name: (of[name]["last"] or {}).get("error") or "" for name in ("hangs", "lies")}
            known = "within 1 s" in said["hangs"] and "redirects are not followed" in said["lies"]
            return of if known and of["gone"]["disabled_why"] and len(works.got) >= 3 else {}

        with delivering():
            for number in range(3):
                text = {"text": f"Announcement {number}."}
                assert admin.http.post(f"{where}/announcements", json=text).status_code == 201
            of = until(is_known)
            until(lambda: listed()["works"]["last"]["status"] == "delivered")
    assert listed()["works"]["failing_since"] is None
    assert inward.got == []
    assert "410" in of["gone"]["disabled_why"]
    assert len(gone.got) < 4, "nothing more is sent"
    assert "disabled" in notices(admin.http, limit=1)[0]["title"]
    assert admin.http.post(f"{where}/webhooks/{made['gone']}", json={"act": "test"}).status_code == 409
    again = admin.http.post(f"{where}/webhooks/{made['gone']}", json={"act": "enable"}).json()
    assert (again["disabled_why"], again["secret"]) == (None, None)


def test_webhooks_never_go_to_this_network_unless_the_operator_allows_it(
    team: Entrant, sessions: SessionFactory, delivering: Callable[..., Any]
) -> None:
    for url, code in (
        ("http://receiver.example/", "webhook_address"),
        ("https://127.0.0.1/", "webhook_address"),
        ("https://[::ffff:169.254.169.254]/", "webhook_address"),
        ("https://user:word@receiver.example/", "webhook_address"),
        ("https://receiver.example:99999/", "webhook_address"),
        ("ftp://receiver.example", "webhook_address"),
    ):
        answer = team.http.post(f"/teams/{team.team}/webhooks", json={"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, code), url
    with hook() as receiver:
        url = f"https://localhost:{receiver.port}/"
        answer = team.http.post(f"/teams/{team.team}/webhooks", json={"url": url})
        assert answer.status_code == 201, "a name is looked up when something is sent to it"
        path = f"/teams/{team.team}/webhooks/{answer.json()['id']}"
        with delivering(private=None):
            assert team.http.post(path, json={"act": "test"}).status_code == 200
            last = until(lambda: team.http.get(f"/teams/{team.team}/webhooks").json()[0]["last"]["error"])
        assert "private network" in last
        assert not re.search("127|::1", last), "what names of this network lead to is not told"
        assert receiver.got == []
    assert team.http.delete(path).status_code == 204
    assert team.http.get(f"/teams/{team.team}/webhooks").json() == []
    assert deliveries(sessions, OutboxMessage.endpoint_id == UUID(answer.json()["id"])) == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        *((private, False) for private in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "0.0.0.0")),
        *((local, False) for local in ("169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255")),
        *((six, False) for six in ("::1", "::", "fe80::1", "fd00::1", "fec0::1", "ff02::1")),
        *(
            (inside, False)
            for inside in (
                "::ffff:10.0.0.1",
                "2002:0a00:0001::1",
                "64:ff9b::10.0.0.1",
                "::7f00:1",
                "2002:5db8:d822::1",
            )
        ),
        ("64:ff9b::5db8:d822", True),
    ],
)
def test_an_address_is_public_with_all_that_is_written_in_it(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_who_floods_one_webhook_keeps_no_other_one_waiting(team: Entrant, sessions: SessionFactory) -> None:
    path = f"/teams/{team.team}/webhooks"
    made = [
        team.http.post(path, json={"url": f"https://receiver.example/{name}"}).json()["id"] for name in "ab"
    ]
    for _ in range(3):
        assert team.http.post(f"{path}/{made[0]}", json={"act": "test"}).status_code == 200
    assert len(deliveries(sessions, OutboxMessage.endpoint_id == UUID(made[0]))) == 1, "one try waits"
    with sessions() as session:  # and taken back
        for number in range(500):
            enqueue_webhook(session, UUID(made[0]), payload={}, key=f"flood:{made[0]}:{number}")
        enqueue_webhook(session, UUID(made[1]), payload={}, key=f"flood:{made[1]}")
        found = take(session, Channel.WEBHOOK, limit=20)
        assert sorted(str(row.endpoint_id) for row in found if str(row.endpoint_id) in made) == sorted(made)
        later = take(session, Channel.WEBHOOK, limit=20, busy=[UUID(made[0])])
        assert UUID(made[0]) not in {row.endpoint_id for row in later}


def test_a_secret_is_replaced_without_a_message_that_nobody_can_verify(
    team: Entrant, hospital: str, sessions: SessionFactory, delivering: Callable[..., Any]
) -> None:
    with hook() as receiver:
        made = added(team.http, hospital, f"/teams/{team.team}", receiver.url)
        path = f"/teams/{team.team}/webhooks/{made['id']}"
        new = team.http.post(path, json={"act": "rotate"}).json()["secret"]
        assert new not in (None, made["secret"])
        with delivering():
            for count in (1, 2):
                assert team.http.post(path, json={"act": "test"}).status_code == 200
                until(lambda count=count: len(receiver.got) == count)
                with unit_of_work(sessions) as session:
                    session.get_one(Endpoint, UUID(made["id"])).old_secret_until = datetime.now(UTC)
        (first, second) = receiver.got
        assert verify(*first, made["secret"])["type"] == verify(*first, new)["type"] == "webhook.test"
        assert verify(*second, new)["data"] == {"webhook": made["id"]}
        with pytest.raises(ValueError, match="signature"):
            verify(*second, made["secret"])


def test_a_mail_server_that_refuses_has_its_sentence_and_the_rest_is_sent(
    admin: Person, sessions: SessionFactory, delivering: Callable[..., Any]
) -> None:
    port = free_port()
    tls, authority = _certificate()
    logged_in: list[bytes] = []

    def know(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        from aiosmtpd.smtp import AuthResult

        logged_in.append(data.password)
        return AuthResult(success=data.password == b"p@ss/word")

    options = {"tls_context": tls, "require_starttls": True, "authenticator": know, "auth_required": True}
    options["enable_SMTPUTF8"] = False
    with post_office(port, **options) as office:
        office.never["gone@example.org"] = "550 no\0such user"
        for name in ("zoë", "gone", "there", "there", "root,there", "another<there", ".:a"):
            with unit_of_work(sessions) as session:
                enqueue_mail(
                    session,
                    to=f"{name}@example.org",
                    subject=f"For {name}\r\nBcc: everybody@example.org =?utf-8?q?=0d=0aX-Injected=3a_1?=",
                    text="Zoë, line one.\n.\nline three",
                    key=f"test of refusals:{name}",
                )
        mine = OutboxMessage.key.startswith("test of refusals:")
        with delivering(smtp=f"smtp://me:p%40ss%2Fword@localhost:{port}?starttls", context=authority):
            rows = until(lambda: ended(sessions, mine))
    of = {row.address: row for row in rows}
    assert len(rows) == 6, "one key, one mail"
    # The standard library's parser breaks over this one.
    assert (of[".:a@example.org"].status, of[".:a@example.org"].attempts) == ("given_up", 1)
    for address in ("root,there@example.org", "another<there@example.org"):
        assert (of[address].status, of[address].attempts) == ("given_up", 1)
        assert "is not one mailbox" in str(of[address].error)
    assert len(office.to("there@example.org")) == 1
    assert (of["zoë@example.org"].status, of["zoë@example.org"].attempts) == ("given_up", 1)
    assert (of["gone@example.org"].status, of["gone@example.org"].attempts) == ("given_up", 1)
    assert "550 no\ufffdsuch user" in str(of["gone@example.org"].error)
    assert of["there@example.org"].status == "delivered"
    message = email.message_from_bytes(office.to("there@example.org")[0].content, policy=default)
    assert (message["Bcc"], message["X-Injected"]) == (None, None)
    assert message["Subject"].strip().startswith("For there Bcc: everybody@example.org = ?utf-8?q?=0d")
    assert message.get_content().splitlines() == ["Zoë, line one.", ".", "line three"]
    assert set(logged_in) == {b"p@ss/word"}
    assert any("gone@example.org" in notice["title"] for notice in notices(admin.http))


def _certificate() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side of TLS for localhost, and a client's that trusts it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=localhost")
    at = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=1))
        .not_valid_after(at + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _contexts(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _contexts(certificate: bytes, key: bytes) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    import tempfile

    with tempfile.NamedTemporaryFile() as both:
        both.write(key + certificate)
        both.flush()
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(both.name)
    return server, ssl.create_default_context(cadata=certificate.decode())


def test_without_a_mail_server_nothing_is_put_aside_for_it(
    team: Entrant, admin: Person, lab: Lab, sessions: SessionFactory, delivering: Callable[..., Any]
) -> None:
    address = team.http.get("/me").json()["email"]
    verified(sessions, address)
    with delivering():
        admin.http.post(f"/organize/{lab.slug}/announcements", json={"text": "No mail here."})
        until(lambda: gone_out(sessions, "No mail here."))
    assert deliveries(sessions, OutboxMessage.address == address, OutboxMessage.channel == Channel.MAIL) == []
    assert notices(team.http)[0]["text"] == "No mail here."


@pytest.mark.parametrize(
    "wrong",
    ["mail.example", "smtp://", "http://mail.example", "smtp://me@mail.example", "smtps://mail?starttls"],
)
def test_an_address_of_a_mail_server_is_read_or_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="has to"):
        mail_server(wrong)
    assert mail_server("smtp://mail.example").port == 25
    assert mail_server("smtps://mail.example").port == 465
    assert mail_server("smtp://a%40b:c@mail.example?starttls").user == "a@b"
    assert target_of("https://receiver.example/a?b=c", private=False).path == "/a?b=c"
    assert json.dumps(mail_server("smtp://mail.example:2525").port) == "2525"


def test_a_webhook_that_takes_nothing_for_days_is_disabled_and_what_is_given_up_is_told(
    lab: Lab, team: Entrant, sessions: SessionFactory, quiet: None
) -> None:
    made = team.http.post(f"/teams/{team.team}/webhooks", json={"url": "https://receiver.example/"}).json()
    path, endpoint_id = f"/teams/{team.team}/webhooks/{made['id']}", UUID(made["id"])

    def fails(**earlier: timedelta) -> None:
        """A try that fails; so long ago the message was made, or the webhook took something last."""
        assert team.http.post(path, json={"act": "test"}).status_code == 200
        with unit_of_work(sessions) as session:
            queued = (OutboxMessage.endpoint_id == endpoint_id, OutboxMessage.status == DeliveryStatus.QUEUED)
            past = datetime.now(UTC) - earlier.get("made", timedelta())
            session.execute(update(OutboxMessage).where(*queued).values(created_at=past, next_at=past))
            if "failing" in earlier:
                session.get_one(Endpoint, endpoint_id).failing_since = datetime.now(UTC) - earlier["failing"]
        with unit_of_work(sessions) as session:
            taken = take(session, Channel.WEBHOOK, limit=5)
            with unit_of_work(sessions) as other:
                assert list(take(other, Channel.WEBHOOK, limit=5)) == [], "another courier's are others"
        for delivery in taken:
            with unit_of_work(sessions) as session:
                settle(session, delivery, Tried("It answered 500."))

    def told() -> list[str]:
        return [notice["title"] for notice in reversed(notices(team.http))]

    fails()
    (row,) = deliveries(sessions, OutboxMessage.endpoint_id == endpoint_id)
    assert (row.status, row.attempts, row.error) == ("queued", 1, "It answered 500.")
    assert timedelta(seconds=5) < row.next_at - datetime.now(UTC) < timedelta(seconds=13)
    assert told() == []
    fails(made=timedelta(hours=25))
    assert told() == ["A message to your webhook was given up"]
    fails(failing=timedelta(days=4))
    assert told() == ["A message to your webhook was given up", "Your webhook is disabled"]
    assert {row.status for row in deliveries(sessions, OutboxMessage.endpoint_id == endpoint_id)} == {
        "given_up"
    }
    (listed,) = team.http.get(f"/teams/{team.team}/webhooks").json()
    assert listed["disabled_why"] == "It took nothing for 3 days. Last: It answered 500."
