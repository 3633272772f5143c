"""Run workers that are played against a real server."""

from benchmarks.capacity import ENTRIES, PlayedWay, play


def test_every_case_that_was_claimed_is_renewed_sent_and_finished() -> None:
    played = play(cases=ENTRIES * 5, slots=2, way=PlayedWay(2, looks=True), done=0.4)
    counts = {len(played.calls[call]) for call in ("heartbeat", "output", "finish")}
    assert len(counts) == 1
    assert counts.pop() > 0
    assert played.calls["board, API"]
    assert played.per_case("server_cpu") > 0
    assert played.per_case("database_cpu") > 0
    assert played.per_case("log") > 0
    assert "Execution Time" in played.plan
