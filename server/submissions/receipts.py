"""Receipts as teams get them: whole where the cases are public, else without what is said of single cases."""

from sqlalchemy.orm import Session

from contract.evaluations import ReceiptOut
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from server.challenges.models import Challenge
from server.challenges.service import is_sealed, spec_of_phase
from server.errors import Forbidden, NotFound
from server.evaluations import receipt_keys, receipts
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Receipt
from server.settings import Settings
from server.submissions.models import Submission
from server.submissions.views import evaluations_out


def own_receipt(
    session: Session, submission: Submission, evaluation: Evaluation, *, settings: Settings
) -> ReceiptOut:
    """The receipt of an evaluation for its team, from when the team sees that it is scored and may see its scores.

    Raises:
        NotFound: it is not scored, as its team sees it.
        Forbidden: the leaderboard of its phase is sealed, and the receipt holds scores.
    """
    (shown,) = evaluations_out(session, submission, [evaluation])
    receipt = session.get(Receipt, evaluation.id) if shown.status is EvaluationStatus.SCORED else None
    if receipt is None:
        raise NotFound(ErrorCode.NO_RECEIPT, "This evaluation is not scored; a receipt is signed when it is.")
    challenge = session.get_one(Challenge, evaluation.challenge_id)
    spec = spec_of_phase(challenge, evaluation.phase, version=evaluation.spec_version)
    if is_sealed(challenge, evaluation.phase, spec=spec):
        raise Forbidden(
            ErrorCode.BOARD_SEALED,
            "The receipt holds scores, and the leaderboard of this phase is sealed until the organizers release it.",
        )
    if not evaluation.is_hidden:
        return ReceiptOut.of(receipt, key=receipt_keys.key_of(session, receipt))
    scores = {
        board: {name: score.value for name, score in metrics.items()}
        for board, metrics in shown.scores.items()
    }
    statement = receipts.without_cases(receipt, scores, {"count": shown.cases, "verdicts": shown.verdicts})
    signature, key = receipts.sign(statement, settings), receipts.public_key(settings)
    return ReceiptOut(statement=statement, signature=signature, key=key)
