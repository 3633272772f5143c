"""The names of wake-ups: messages that say "look at the queue" and nothing else. The database row is the queue."""

RUN_QUEUE = "run"
SCORE_QUEUE = "score"
SCORES_QUEUE = "score-all"  # each score worker hears what is sent there, for each may take other challenges
FANNED_OUT = (RUN_QUEUE, SCORES_QUEUE)
WAKE_RUN = "proctor.run.wake"
WAKE_SCORE = "proctor.score.wake"
WAKE_CHECK = "proctor.score.check"
WAKE_CERTAINTY = "proctor.score.certainty"
TICK = "proctor.score.tick"
SWEEP = "proctor.score.sweep"
