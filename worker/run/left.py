"""What a slot's last process was killed with: the leases of cases that it had begun, by the folders that it left."""

from collections.abc import Iterable

import httpx
import structlog
from pydantic import ValidationError

from contract.leases import HeldLease
from worker.run.host import HostFolder
from worker.run.lease_client import LeaseClient, LeaseLost

_log = structlog.get_logger()


class Left:
    """Looks after what the dead process of one slot has left; before the slot leases anything."""

    def __init__(self, host: HostFolder, slot: str, client: LeaseClient) -> None:
        self._host, self._slot, self._client = host, slot, client

    def found(self) -> list[HeldLease]:
        """The leases whose cases lie begun on this host; some may be over by now."""
        leases = []
        for folder in self._host.scratches(self._slot):
            case_run, _, claim_no = folder.name.rpartition("-")
            try:
                leases.append(HeldLease.model_validate_strings({"case_run": case_run, "claim_no": claim_no}))
            except ValidationError:
                continue
        return leases

    def hand_back(self, leases: Iterable[HeldLease]) -> None:
        """Puts the cases back into the queue; those that are the slot's no more are passed over."""
        for lease in leases:
            try:
                self._client.release(lease, None)
            except (LeaseLost, httpx.HTTPError):
                continue  # it was settled, or runs out by itself
            _log.info("left_case_handed_back", case_run=lease.name)
