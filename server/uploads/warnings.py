"""What may keep an image from running here as the platform is now: a CUDA that is too new for its GPUs' drivers.

It is worked out at each look, for drivers are renewed while images stay.
"""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.cuda import GpuDriver, too_new
from contract.ids import TeamId
from contract.images import ImageFacts
from evaluator.spec import Challenge as Spec
from evaluator.spec import Limits
from server.accounts.models import ApiToken
from server.challenges.models import Challenge
from server.evaluations.worker_models import WorkerSlot
from server.teams.models import Team

_WHOSE = "the drivers of this platform's GPUs go"


def warnings_of(session: Session, team_id: TeamId, images: Collection[ImageFacts]) -> dict[str, list[str]]:
    """Sentences on those of a team's images that call for any, by digest; it names no host.

    None where no task of its challenge has a GPU, or where no GPU of the platform is known.
    """
    asking = [facts for facts in images if facts.requires_driver]
    if not asking or not any_takes_gpu(_spec_of(session, team_id)):
        return {}
    drivers = known_drivers(session)
    found = ((facts.digest, too_new(facts.requires_driver, drivers, _WHOSE)) for facts in asking)
    return {digest: [said] for digest, said in found if said is not None}


def any_takes_gpu(spec: Spec) -> bool:
    """Whether a case of any task may be run with a GPU."""
    return any(takes_gpu(spec.limits_of(task)) for task in spec.tasks)


def takes_gpu(limits: Limits) -> bool:
    """Whether a case under these limits is given a GPU where its slot has one."""
    return limits.gpu is not None and limits.gpu.count > 0


def known_drivers(session: Session) -> list[GpuDriver]:
    """The drivers of the GPUs of all slots that are remembered and may come back, each once.

    A slot that does not tell its driver, as those of an older version, is as good as none.
    """
    rows = session.execute(
        select(WorkerSlot.gpu_cuda, WorkerSlot.gpu_driver)
        .outerjoin(ApiToken, ApiToken.id == WorkerSlot.worker_id)
        .where(WorkerSlot.gpus > 0, WorkerSlot.gpu_cuda.is_not(None))
        .where(ApiToken.retired_at.is_(None), ApiToken.revoked_at.is_(None))
        .distinct()
    )
    return [GpuDriver(cuda, driver or "") for cuda, driver in rows if cuda is not None]


def _spec_of(session: Session, team_id: TeamId) -> Spec:
    challenge = select(Challenge).join(Team, Team.challenge_id == Challenge.id).where(Team.id == team_id)
    return session.scalars(challenge).one().spec
