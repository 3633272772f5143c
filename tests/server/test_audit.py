"""The event log sealed: what is changed, removed or inserted by whoever has the database's password is found."""

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from contract.audit import Damage
from evaluator.signing import verify
from server import events
from server.audit.chain import BEGINNING, Head
from server.audit.checking import Found, check
from server.audit.models import Link
from server.audit.service import head, seal, seal_all
from server.database import SessionFactory, unit_of_work
from server.evaluations.receipts import public_key
from server.events import Event
from server.ids import first_id, new_id
from server.settings import Settings
from server.tables import open_database
from tests.server.organizer import Admin
from worker.score import tasks

ABOUT = UUID(int=7)
HARD = 'Because "quotes", a \\, a\ttab,\na line, é, 脳 and \x7f.'


@pytest.fixture
def own(fresh_postgres_url: str) -> Iterator[SessionFactory]:
    """A database of this test's own."""
    sessions = open_database(fresh_postgres_url)
    yield sessions
    sessions.kw["bind"].dispose()


def write(own: SessionFactory, *whats: str) -> None:
    with unit_of_work(own) as session:
        for what in whats:
            events.record(session, "challenge", ABOUT, actor="tests", what=what, why=HARD)
            session.flush()


def sealed(own: SessionFactory) -> SessionFactory:
    """Eight events in four passes."""
    for number in range(4):
        write(own, f"act {2 * number + 1}", f"act {2 * number + 2}")
        assert seal_all(own) == 2
    return own


def forge(own: SessionFactory, *statements: str) -> None:
    with unit_of_work(own) as session:
        forged(session, *statements)


def forged(session: Session, *statements: str) -> None:
    """What a superuser can do, whom no trigger stops; FOURTH is the id of the fourth event of the chain."""
    session.execute(text("SET LOCAL session_replication_role = replica"))
    for statement in statements:
        session.execute(text(statement.replace("FOURTH", "(SELECT event_id FROM audit_links WHERE seq = 4)")))


def checked(own: SessionFactory, *anchors: Head, since: Head | None = None) -> Found:
    with unit_of_work(own) as session:
        return check(session, anchors=anchors, since=since)


def present(own: SessionFactory) -> Head:
    with unit_of_work(own) as session:
        return head(session)


def places(found: Found) -> list[tuple[int | None, Damage]]:
    return [(place.seq, place.damage) for place in found.places]


def recompute(own: SessionFactory) -> None:
    """The chain over what now stands there, made by the description in the documentation and not by Proctor."""
    with unit_of_work(own) as session:
        rows = session.execute(select(Link.seq, Link.sealed_at, Event).join(Event, Event.id == Link.event_id))
        before, made = bytes(32), list[dict[str, object]]()
        for seq, (_, sealed_at, event) in enumerate(sorted(rows.all(), key=lambda row: row[0]), 1):
            fields = (event.subject, str(event.subject_id), event.old, event.new, event.code, event.claim_no)
            at = event.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            array = [str(event.id), at, *fields, event.actor, event.what, event.why]
            moment = sealed_at.astimezone(UTC).isoformat(timespec="microseconds")
            written = f"{seq} {moment} {json.dumps(array, ensure_ascii=False)}"
            before = hashlib.sha256(before + written.encode()).digest()
            made.append({"seq": seq, "event_id": event.id, "sealed_at": sealed_at, "hash": before})
    with unit_of_work(own) as session:
        forged(session, "DELETE FROM audit_links")
        session.execute(insert(Link), made)


def test_the_log_and_what_is_kept_beside_it_refuse_every_change(own: SessionFactory) -> None:
    sealed(own)
    for statement in (
        "UPDATE events SET why = 'another'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE audit_links SET seq = seq + 10",
        "DELETE FROM audit_links",
        "TRUNCATE audit_links",
        "TRUNCATE amendments, phase_plans, label_commitments",
    ):
        with (
            pytest.raises(
                DatabaseError, match="append-only: what stands in it is neither changed nor removed"
            ),
            unit_of_work(own) as session,
        ):
            session.execute(text(statement))
    assert checked(own) == Found(present(own), checked=8)


def test_a_chain_is_what_the_documentation_says_and_what_was_not_touched_is_sound(
    own: SessionFactory,
) -> None:
    assert present(own) == Head(0, BEGINNING.hex())
    assert checked(own).places == []
    sealed(own)
    told = present(own)
    write(own, "not sealed yet")
    assert (told.seq, checked(own, told).unsealed) == (8, 1)
    recompute(own)
    assert present(own) == told, "computed by another program"
    assert checked(own, told, since=told) == Found(told, checked=0, unsealed=1)
    assert Head.read(str(told)) == Head(told.seq, told.hash)
    with unit_of_work(own) as session:
        events.record(session, "challenge", ABOUT, actor="tests", what="an act that is to be covered")
        assert seal(session).seq == 10, "with what its own transaction wrote"
    assert checked(own, told) == Found(present(own), checked=10)


HIDDEN = """
WITH added AS (
    INSERT INTO events (id, subject, subject_id, actor, what, created_at)
    VALUES (gen_random_uuid(), 'challenge', gen_random_uuid(), 'x', 'y', now() - interval '9 days') RETURNING id
)
INSERT INTO audit_links (seq, event_id, sealed_at, hash)
SELECT {seq}, id, now(), decode(repeat('00', 32), 'hex') FROM added
"""
FORGERIES = {
    ("UPDATE events SET why = 'x' WHERE id = FOURTH",): [(4, Damage.CHANGED)],
    ("UPDATE events SET actor = actor || ' ' WHERE id = FOURTH",): [(4, Damage.CHANGED)],
    ("DELETE FROM events WHERE id = FOURTH",): [(4, Damage.REMOVED)],
    ("DELETE FROM events WHERE id = (SELECT event_id FROM audit_links WHERE seq = 8)",): [
        (8, Damage.REMOVED)
    ],
    ("DELETE FROM events WHERE id = FOURTH", "DELETE FROM audit_links WHERE seq = 4"): [
        (4, Damage.UNLINKED),
        (5, Damage.CHANGED),
    ],
    ("DELETE FROM audit_links WHERE seq < 3",): [(1, Damage.UNLINKED), (3, Damage.CHANGED)],
    (
        "UPDATE audit_links SET seq = -1 WHERE seq = 2",
        "UPDATE audit_links SET seq = 2 WHERE seq = 5",
        "UPDATE audit_links SET seq = 5 WHERE seq = -1",
    ): [(seq, Damage.CHANGED) for seq in (2, 3, 5, 6)],
    ("UPDATE audit_links SET sealed_at = sealed_at - interval '1 s' WHERE seq = 1",): [(1, Damage.CHANGED)],
    ("INSERT INTO audit_links VALUES (4611686018427387904, gen_random_uuid(), now(), '\\x00')",): [
        (9, Damage.UNLINKED),
        (2**62, Damage.REMOVED),
    ],
    # An event that has a link, and a link that no hash follows.
    (HIDDEN.format(seq=0),): [(0, Damage.INSERTED)],
    (HIDDEN.format(seq=-3),): [(-3, Damage.INSERTED)],
}


def test_what_was_forged_is_found_where_it_is(own: SessionFactory) -> None:
    sealed(own)
    for statements, expected in FORGERIES.items():
        with own() as session:  # and taken back
            forged(session, *statements)
            found = check(session)
        assert places(found) == expected, statements
        assert found.broken == len(expected)
    assert checked(own).broken == 0


def test_an_event_that_was_inserted_is_found_before_and_after_it_is_sealed(own: SessionFactory) -> None:
    sealed(own)
    past = datetime.now(UTC) - timedelta(days=2)
    with unit_of_work(own) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE audit_links SET sealed_at = sealed_at - interval '30 days' WHERE seq = 1")
        )
    recompute(own)  # so that the chain is a month old
    with unit_of_work(own) as session:
        session.add(
            Event(id=new_id(), subject="team", subject_id=ABOUT, actor="x", what="y", created_at=past)
        )
    assert places(checked(own)) == [(None, Damage.INSERTED)]
    assert seal_all(own, thorough=True) == 1
    assert places(checked(own)) == [(9, Damage.INSERTED)]


def test_a_chain_that_was_made_anew_or_cut_is_found_by_a_head_that_was_told(own: SessionFactory) -> None:
    early = present(sealed(own))
    write(own, "act 9")
    seal_all(own)
    late = present(own)
    forge(own, "UPDATE events SET why = 'other' WHERE id = FOURTH")
    recompute(own)
    assert checked(own).broken == 0, "who recomputes all of it is not found from within"
    assert places(checked(own, early)) == [(8, Damage.OTHER_PAST)]
    assert places(checked(own, since=early)) == [(8, Damage.OTHER_PAST)]
    forge(own, "DELETE FROM events WHERE what = 'act 9'", "DELETE FROM audit_links WHERE seq = 9")
    assert checked(own).broken == 0
    assert (9, Damage.OTHER_PAST) in places(checked(own, late))


def test_what_is_committed_late_and_what_several_seal_at_once_is_linked_once(own: SessionFactory) -> None:
    with own() as late:
        events.record(late, "challenge", ABOUT, actor="tests", what="begun first")
        late.flush()
        write(own, "committed first")
        assert seal_all(own) == 1
        late.commit()
    write(own, *(f"act {number}" for number in range(300)))
    counts: list[int] = []
    sealers = [threading.Thread(target=lambda: counts.append(seal_all(own))) for _ in range(4)]
    with own() as holder:
        seal(holder)
        assert seal_all(own) == 0, "another is at it, and nobody waits"
        write(own, "meanwhile")
        holder.rollback()  # as if it had died
    for sealer in sealers:
        sealer.start()
    for sealer in sealers:
        sealer.join()
    seal_all(own)
    assert checked(own) == Found(present(own), checked=303)
    with unit_of_work(own) as session:
        order = session.scalars(select(Event.what).join(Link, Link.event_id == Event.id).order_by(Link.seq))
        assert order.all()[:2] == ["committed first", "begun first"]


def test_the_command_and_the_api_say_the_same_and_a_broken_chain_is_an_exit_code(
    command: Admin,
    fresh_postgres_url: str,
    own: SessionFactory,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    monkeypatch.setenv("DATABASE_URL", fresh_postgres_url)
    sealed(own)
    head = command("audit", "head").stdout.strip()
    assert head == str(present(own))
    told = json.loads(command("audit", "head", "--json").stdout)
    assert verify({"audit": head}, told["signature"], public_key(settings))
    write(own, "not sealed yet")
    sound = command("audit", "verify", "--from", head, "--anchor", head)
    assert sound.exit_code == 0
    assert sound.stdout.startswith(
        "Sound: 0 links computed anew; 2 heads that you gave are in it; not sealed yet: 1 event\n"
    )
    wrong = command("audit", "verify", "--anchor", "8:abc")
    assert (wrong.exit_code, "is no head of the audit chain" in wrong.stderr) == (1, True)
    forge(own, "UPDATE events SET why = 'other' WHERE id = FOURTH")
    broken = command("audit", "--json")
    assert broken.exit_code == 1
    (place,) = json.loads(broken.stdout)["places"]
    assert (place["seq"], place["damage"]) == (4, "changed")
    assert "number 4, or its link is not what was sealed" in command("audit").stdout
    recompute(own)
    other = command("audit", "--anchor", "4:" + "0" * 64, "--anchor", head)
    assert (other.exit_code, other.stdout.count("other past")) == (1, 2)


def test_the_clock_seals_and_its_hourly_pass_finds_what_was_committed_late(
    command: Admin, fresh_postgres_url: str, own: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", fresh_postgres_url)
    for cached in (tasks.settings, tasks.sessions):
        cached.cache_clear()
    try:
        write(own, "act")
        tasks.tick()
        assert present(own).seq == 1
        with unit_of_work(own) as session:
            long_ago = first_id(datetime.now(UTC), earlier=timedelta(hours=1))
            session.add(Event(id=long_ago, subject="team", subject_id=ABOUT, actor="tests", what="late"))
        tasks.tick()
        assert checked(own).unsealed == 1
        tasks.sweep()
        assert checked(own) == Found(present(own), checked=2)
    finally:
        tasks.sessions().kw["bind"].dispose()
        for cached in (tasks.settings, tasks.sessions):
            cached.cache_clear()
