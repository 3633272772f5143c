"""Where an output lies between its upload and the verdict that names it: one per case, whatever a worker sends.

It becomes a blob with the verdict. Until then a further upload takes its place, so that leases that are lost, handed
back or answered again leave nothing behind.
"""

from uuid import UUID

from contract.ids import CaseRunId

_PREFIX = "output-"


def waiting_name(case_run: CaseRunId) -> str:
    """Under which name a case's output is set aside in the blob store."""
    return f"{_PREFIX}{case_run}"


def case_run_of(name: str) -> CaseRunId | None:
    """Whose output is set aside under this name; None where it is no such name."""
    if not name.startswith(_PREFIX):
        return None
    try:
        return CaseRunId(UUID(name.removeprefix(_PREFIX)))
    except ValueError:
        return None
