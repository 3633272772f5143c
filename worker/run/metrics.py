"""What a run worker counts; the server counts verdicts of all hosts, and these are of one slot."""

from prometheus_client import Counter, Histogram

CASES = Counter(
    "proctor_worker_cases", "Cases that this slot has answered, by what came of them.", ["verdict"]
)
FAULTS = Counter("proctor_worker_faults", "Cases that met a fault of the platform on this host.", ["fault"])
LOST = Counter("proctor_worker_leases_lost", "Leases that this slot lost while it had their cases.")
SECONDS = Histogram(
    "proctor_worker_case_seconds",
    "Seconds that this slot had a case, from its lease to its verdict.",
    buckets=(1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
