"""What the queue asks for, as whoever adds and takes away run workers wants to know it."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.queue import DemandOut
from contract.texts import Name
from server.accounts.deps import AdminDep
from server.admin import workers
from server.deps import SessionDep
from server.evaluations.worker_models import WorkerSlot
from server.queue.forecast import demand

router = APIRouter(tags=["admin"])


@router.get("/admin/queue/demand")
def get_demand(
    session: SessionDep,
    admin: AdminDep,
    cpus: Annotated[float, Query(gt=0, le=4096, allow_inf_nan=False)],
    memory: Annotated[int, Query(gt=0, le=2**46)],
    gpus: Annotated[int, Query(ge=0, le=64)] = 0,
    gpu_memory: Annotated[int, Query(ge=0, le=2**42)] = 0,
    besides: Name | None = None,
) -> DemandOut:
    """What waits that a slot of this kind could run, and how many slots are there for it; memory in bytes.

    Slots of the run worker called `besides` do not count.
    """
    if besides is not None:
        workers.worker_named(session, besides)  # a wrong name would have all of its slots counted
    slot = WorkerSlot(
        name="asked", cpus=cpus, memory=memory, gpus=gpus, gpu_memory=gpu_memory, runtimes=["runc"]
    )
    return demand(session, slot, besides=besides)
