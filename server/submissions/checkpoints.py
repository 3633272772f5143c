"""One pretrained checkpoint for all tasks of a track, where the challenge asks for it before it takes a submission."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from contract.ids import TeamId
from contract.problems import ErrorCode
from evaluator.spec import Challenge as Spec
from server.errors import Unprocessable
from server.images.service import get_image

_UNSEEN = "It was checked by an older release, which did not look for one. Upload it again."
_HOW = "Give it the labels proctor.checkpoint.path and proctor.checkpoint.sha256 when it is built, and upload it again."


def require_checkpoint(
    session: Session, spec: Spec, *, team_id: TeamId, track: str, images: Mapping[str, str]
) -> None:
    """Returns unless the challenge requires a checkpoint and `images`, by task, do not all hold one and the same.

    What the team has submitted before is not compared: it may move to another checkpoint, a task after the other, and
    the board tells meanwhile that its tasks differ.

    Raises:
        NotFound: the team has not one of the images.
        Unprocessable: an image does not hold what it declares, or two hold different ones.
    """
    if spec.checkpoint != "required":
        return
    digests = {digest: _verified(session, team_id, task, digest) for task, digest in images.items()}
    by_task = {task: digests[digest] for task, digest in images.items()}
    if len(set(by_task.values())) > 1:
        told = ", ".join(f"{task} has {sha256[7:19]}…" for task, sha256 in sorted(by_task.items()))
        raise Unprocessable(
            ErrorCode.CHECKPOINT_REFUSED,
            f"One pretrained checkpoint serves all tasks of the {track} track, and these images hold several: {told}. "
            "No attempt was spent.",
        )


def _verified(session: Session, team_id: TeamId, task: str, digest: str) -> str:
    """The digest of the checkpoint that an image holds."""
    found = get_image(session, team_id, digest).facts.checkpoint
    if found is not None and found.verified and found.sha256 is not None:
        return found.sha256
    why = _UNSEEN if found is None else found.why or f"It declares none. {_HOW}"
    raise Unprocessable(
        ErrorCode.CHECKPOINT_REFUSED,
        f"This challenge requires that an image declares its pretrained checkpoint and holds it. The image of {task}: "
        f"{why} No attempt was spent.",
    )
