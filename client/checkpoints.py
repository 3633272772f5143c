"""What the server will say of the pretrained checkpoints of images, said before gigabytes are saved and sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from client.api import Client
from client.app import err, warn
from client.checked import facts_of
from client.errors import Problem
from client.images import image_id, image_labels
from client.preflight import GIVEN_BACK, Aim, require_image_file
from client.progress import waiting
from contract.images import CheckpointState, DeclaredCheckpoint, ImageOut
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from contract.submissions import SubmissionOut
from evaluator.terminal import in_line
from sandbox.archive import ArchiveInvalid, CheckpointLabels, ToolMissing, declared_by, declared_in

_REQUIRED = "required"
_NOTHING = "It declares no pretrained checkpoint."


@dataclass(frozen=True)
class _Image:
    """What is known of an image's checkpoint. compared: whether the file was looked for in the image already."""

    checkpoint: DeclaredCheckpoint
    compared: bool = True

    @property
    def sha256(self) -> str | None:
        """Of the file that the image holds, as far as anybody knows here; None where it will not be taken for one."""
        return self.checkpoint.sha256 if self.checkpoint.verified or not self.compared else None


def tell_checkpoints(client: Client, aim: Aim, sources: Mapping[str, str], spec: Mapping[str, Any]) -> None:
    """Says what the server will find; nothing where the challenge asks for no checkpoint. sources: images by task.

    Of images that were pushed nothing is known before the server has them.

    Raises:
        Problem: the challenge requires a checkpoint, and the submission would be refused.
        Local, ArchiveRefused: a file cannot be read, or is no image.
    """
    asked = spec.get("checkpoint")
    if asked is None:
        return
    stored = client.stored_images(aim.team)
    found = {source: _found(source, stored) for source in dict.fromkeys(sources.values())}
    known = {task: image for task, source in sources.items() if (image := found[source]) is not None}
    for source, image in found.items():
        if image is not None:
            _tell(source, image, required=asked == _REQUIRED)
    digests = {task: image.sha256 for task, image in known.items()}
    told = _by_digest(digests.items())
    if len({digest for digest in digests.values() if digest}) > 1:
        if asked == _REQUIRED:
            raise _refused(
                f"One checkpoint serves all tasks of the {aim.track} track, and these images hold several: {told}."
            )
        warn(f"These images hold several checkpoints, and the board will say that they differ: {told}.")
        return
    best = spec.get("ranking", {}).get("entry") == "best"
    for sentence in _elsewhere(client.submissions(aim.slug, aim.team), aim, digests, stored, best=best):
        warn(sentence)


def _found(source: str, stored: Sequence[ImageOut]) -> _Image | None:
    """What is known of an image before it is sent; None where that is nothing."""
    path = Path(source)
    if path.is_file():
        return _in_file(path)
    local = None if source.startswith("sha256:") or path.suffix in (".tar", ".gz", ".tgz", ".sif") else source
    digest = source if local is None else image_id(local)
    for image in stored:
        if image.digest == digest:
            return None if image.facts.checkpoint is None else _Image(image.facts.checkpoint)
    return None if local is None or digest is None else _labelled(declared_in(image_labels(local)))


def _in_file(path: Path) -> _Image | None:
    require_image_file(path)
    try:
        labelled = _labelled(declared_by(path))
    except (ArchiveInvalid, ToolMissing, OSError):  # the server tells what there is to tell
        return None
    if labelled.checkpoint.sha256 is None:
        return labelled
    with waiting(err, f"Looking for its checkpoint in {path.name}"):
        found = facts_of(path).checkpoint
    return None if found is None else _Image(found)


def _labelled(labels: CheckpointLabels | None) -> _Image:
    """What labels say, without a look at any file."""
    if labels is None:
        return _Image(DeclaredCheckpoint(state=CheckpointState.NOT_DECLARED))
    state = CheckpointState.UNCLEAR
    declared = DeclaredCheckpoint(state=state, path=labels.path, sha256=labels.sha256, why=labels.wrong)
    return _Image(declared, compared=labels.wrong is not None)


def _tell(source: str, image: _Image, *, required: bool) -> None:
    found = image.checkpoint
    if not image.compared:
        err.print(
            Text(in_line(f"{source} declares the checkpoint {found.sha256}; the server looks for the file."))
        )
    elif found.verified:
        err.print(Text(in_line(f"{source}: its checkpoint {found.path} is verified: {found.sha256}.")))
    elif required:
        raise _refused(f"{source}: {found.why or _NOTHING}")
    else:
        warn(f"{source}: {found.why or _NOTHING} The board will say so.")


def _elsewhere(
    submissions: Sequence[SubmissionOut],
    aim: Aim,
    digests: Mapping[str, str | None],
    stored: Sequence[ImageOut],
    *,
    best: bool,
) -> Iterator[str]:
    """A sentence on the team's other tasks of this track and phase, where their images hold something else.

    best: whether the best evaluation of a task counts, and not the latest.
    """
    held = {image.digest: image.facts.checkpoint for image in stored}
    here = next((digest for digest in digests.values() if digest), None)
    mine = [one for one in submissions if (one.track, one.phase) == (aim.track, aim.phase)]
    others: dict[tuple[str, str | None], None] = {}
    for task, image in _counting(mine, best=best):
        found = held.get(image)
        if task not in aim.tasks and found is not None:
            others[task, found.sha256 if found.verified else None] = None
    differing = [(task, digest) for task, digest in others if digest != here]
    if differing and digests:
        yield (
            f"Your other tasks on this track differ from that: {_by_digest(differing)}. Until they are submitted "
            "with the same checkpoint, the board says that your tasks differ."
        )


def _counting(submissions: Sequence[SubmissionOut], *, best: bool) -> Iterator[tuple[str, str]]:
    """Tasks and images of the evaluations that count, or may once they have ended.

    Which of a task's scored evaluations is the best is not asked: the server shows that where it may be seen.
    """
    ended = set[str]()
    for submission in submissions:  # the newest first
        for one in submission.evaluations:
            if one.status in GIVEN_BACK or one.voided is not None or (one.task in ended and not best):
                continue
            if one.status == EvaluationStatus.SCORED:
                ended.add(one.task)
            yield one.task, one.image


def _by_digest(digests: Iterable[tuple[str, str | None]]) -> str:
    """Tasks and what their images hold, in words."""
    found: dict[str | None, list[str]] = {}
    for task, digest in digests:
        found.setdefault(digest, []).append(task)
    return "; ".join(
        f"{', '.join(tasks)}: {digest or 'none that is verified'}" for digest, tasks in found.items()
    )


def _refused(why: str) -> Problem:
    detail = f"The server would refuse this submission. {why} Nothing was uploaded."
    return Problem(422, ErrorCode.CHECKPOINT_REFUSED, "Not accepted", in_line(detail))
