"""What a bundle has from the records: challenge files, amendments, promises, receipts and the keys that signed them."""

import yaml
from sqlalchemy import select

from server.amendments.service import amendments
from server.amendments.views import amendment_out
from server.bundles.state import PhaseState
from server.bundles.tables import of_phase
from server.challenges.models import SpecVersion
from server.editions.differences import teams_of
from server.editions.service import whole_editions
from server.editions.views import whole_out
from server.evaluations.models import Evaluation
from server.evaluations.receipt_keys import receipt_keys
from server.evaluations.receipts import public_key
from server.evaluations.result_models import Receipt
from server.phases.views import commitments_out

_AT_ONCE = 50
_EVERY = 1_000_000
_CHALLENGE = "challenge.yaml"


def write(state: PhaseState) -> None:
    """Writes all of them."""
    session, challenge = state.session, state.challenge
    content = challenge.spec.model_dump(mode="json")
    state.put(_CHALLENGE, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))
    used = of_phase(state).order_by(None).with_only_columns(Evaluation.spec_version_id)
    versions = session.scalars(
        select(SpecVersion).where(SpecVersion.id.in_(used)).order_by(SpecVersion.created_at, SpecVersion.id)
    )
    state.put_json("versions.json", {version.digest: version.content for version in versions})
    told = [amendment_out(row) for row in amendments(session, challenge, limit=_EVERY)]
    state.put_json("amendments.json", [amendment.model_dump(mode="json") for amendment in told])
    promised = commitments_out(session, challenge, state.phase)
    state.put_json("commitments.json", promised.model_dump(mode="json"))
    teams = teams_of(session, challenge)
    for edition in whole_editions(session, challenge, state.phase):
        state.put_json(f"editions/{edition.number}.json", whole_out(edition, teams))
    _receipts(state)


def _receipts(state: PhaseState) -> None:
    keys = [(row.public_key, row.retired_at) for row in receipt_keys(state.session)]
    own = public_key(state.settings)
    if own not in {key for key, _ in keys}:
        keys.append((own, None))
    state.put_json(
        "receipts/keys.json",
        {
            "algorithm": "Ed25519",
            "keys": [{"key": key, "retired_at": None if at is None else at.isoformat()} for key, at in keys],
        },
    )
    wanted = of_phase(state).order_by(None).with_only_columns(Evaluation.id)
    query = select(Receipt).where(Receipt.evaluation_id.in_(wanted)).order_by(Receipt.evaluation_id)
    for receipt in state.session.scalars(query).yield_per(_AT_ONCE):
        state.put_json(
            f"receipts/{receipt.evaluation_id}.json",
            {"statement": receipt.statement, "signature": receipt.signature},
        )
        state.session.expunge(receipt)
