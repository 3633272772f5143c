"""The queue: which case a slot gets next, in what batch, and what waits. It stands on evaluations."""
