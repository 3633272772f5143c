"""What a submission that is about to be made would cost: attempts before and after, and what ran there before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.statuses import EvaluationStatus
from contract.submissions import QuotaOut, SubmissionOut
from evaluator.spec import Challenge as Spec

_GIVEN_BACK = (EvaluationStatus.REJECTED, EvaluationStatus.ERRORED, EvaluationStatus.CANCELLED)


@dataclass(frozen=True)
class Chosen:
    """An image for a task. left, after: attempts before and after it, None without limit; `refused`: why it cannot be.

    again: the submission in which this very image is under way or scored there already.
    """

    task: str
    title: str
    image: str
    left: int | None
    after: int | None
    may_fail: int | None
    refused: str | None
    again: SubmissionOut | None


def costs(
    spec: Spec,
    quotas: Sequence[QuotaOut],
    earlier: Sequence[SubmissionOut],
    *,
    track: str,
    phase: str,
    images: Mapping[str, str],
) -> list[Chosen]:
    """Each task with what submitting its image takes, in the order of the challenge.

    Where tasks share their attempts, each of them takes one of the same.
    """
    rows = {quota.task: quota for quota in quotas if (quota.track, quota.phase) == (track, phase)}
    shared = "task" not in spec.phases[phase].attempts.per
    found = []
    for number, task in enumerate(name for name in spec.tasks if name in images):
        quota = rows[task]
        left = None if quota.left is None else max(0, quota.left - (number if shared else 0))
        found.append(
            Chosen(
                task=task,
                title=spec.tasks[task].title,
                image=images[task],
                left=left,
                after=None if left is None else max(0, left - 1),
                may_fail=quota.rejected_left,
                refused=_refused(quota, left),
                again=_again(earlier, track=track, phase=phase, task=task, image=images[task]),
            )
        )
    return found


def _refused(quota: QuotaOut, left: int | None) -> str | None:
    if left == 0:
        return "No attempt is left. One that is under way and fails is given back."
    if quota.rejected_left == 0:
        return "So many of its evaluations were rejected this week that no further one may be."
    return None


def _again(
    earlier: Sequence[SubmissionOut], *, track: str, phase: str, task: str, image: str
) -> SubmissionOut | None:
    for submission in earlier:
        if (submission.track, submission.phase) != (track, phase):
            continue
        for evaluation in submission.evaluations:
            same = (evaluation.task, evaluation.image) == (task, image)
            if same and evaluation.status not in _GIVEN_BACK:
                return submission
    return None
