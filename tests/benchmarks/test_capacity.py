"""Run workers that are played against a real server."""

from benchmarks.capacity import ENTRIES, play


def test_every_case_that_was_claimed_is_renewed_sent_and_finished() -> None:
    played = play(cases=ENTRIES * 5, slots=2, seconds=2)
    counts = {len(played.calls[call]) for call in ("heartbeat", "output", "finish")}
    assert len(counts) == 1
    assert counts.pop() > 0
    assert played.server_cpu > 0
