"""The names of wake-ups: messages that say "look at the queue" and nothing else. The database row is the queue."""

RUN_QUEUE = "run"
SCORE_QUEUE = "score"
WAKE_RUN = "proctor.run.wake"
WAKE_SCORE = "proctor.score.wake"
WAKE_CHECK = "proctor.score.check"
TICK = "proctor.score.tick"
SWEEP = "proctor.score.sweep"
