"""Run workers that take no new case, that are put away, and whose old token works for a while beside the new one."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Columns that are empty so far."""
    op.add_column("api_tokens", sa.Column("draining_since", _MOMENT, nullable=True))
    op.add_column("api_tokens", sa.Column("retired_at", _MOMENT, nullable=True))
    op.add_column("api_tokens", sa.Column("old_hash", sa.String(), nullable=True))
    op.add_column("api_tokens", sa.Column("old_hash_until", _MOMENT, nullable=True))
    op.create_unique_constraint("uq_api_tokens_old_hash", "api_tokens", ["old_hash"])
    op.add_column("worker_slots", sa.Column("draining_since", _MOMENT, nullable=True))


def downgrade() -> None:
    """Workers that took no new case take them again, and old tokens end."""
    op.drop_column("worker_slots", "draining_since")
    op.drop_constraint("uq_api_tokens_old_hash", "api_tokens", type_="unique")
    for name in ("old_hash_until", "old_hash", "retired_at", "draining_since"):
        op.drop_column("api_tokens", name)
