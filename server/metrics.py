"""What a server and a score worker count. Labels come from closed lists: no name of a team or a case, and no id."""

from prometheus_client import Counter, Gauge, Histogram

_CASE_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600)
_REQUEST_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10)

VERDICTS = Counter("proctor_verdicts", "Cases that were settled, by what came of them.", ["verdict"])
CASE_RUN = Histogram(
    "proctor_case_run_seconds", "Seconds that a case's container ran.", buckets=_CASE_SECONDS
)
CASE_OVERHEAD = Histogram(
    "proctor_case_overhead_seconds",
    "Seconds from the lease of a case until its container ran: image, inputs, preparation, its turn.",
    buckets=_CASE_SECONDS,
)
REFUSALS = Counter("proctor_refusals", "Answers that are errors, by their code.", ["code"])
UPLOAD_BYTES = Counter("proctor_upload_bytes", "Bytes of image archives that were written.")
LEASES_LOST = Counter(
    "proctor_leases_lost",
    "Leases that ran out before their case was settled; counted where the clock's wake-ups arrive.",
)
REQUEST = Histogram(
    "proctor_http_request_seconds",
    "Seconds from a request's headers to its answer's end.",
    ["route"],
    buckets=_REQUEST_SECONDS,
)
RESPONSES = Counter("proctor_http_responses", "Answers by route and class of status.", ["route", "status"])
IN_FLIGHT = Gauge("proctor_http_in_flight", "Requests whose answer has not ended.")
SCORING = Histogram(
    "proctor_scoring_seconds",
    "Seconds that scoring an evaluation took, by how it ended.",
    ["outcome"],
    buckets=_CASE_SECONDS,
)
CHECK = Histogram(
    "proctor_image_check_seconds", "Seconds that checking an archive took.", buckets=_CASE_SECONDS
)


def count_case(verdict: str, seconds: float, wait_seconds: float | None) -> None:
    """A case that was settled, with what running it took."""
    VERDICTS.labels(verdict).inc()
    CASE_RUN.observe(seconds)
    if wait_seconds is not None:
        CASE_OVERHEAD.observe(wait_seconds)
