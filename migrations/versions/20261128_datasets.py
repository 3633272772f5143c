"""Which version of the cases is in force is said, and not derived from when it was imported; who imported it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What was in force until now: the newest of a challenge, phase and task.
_BACKFILL = """
    UPDATE datasets SET state = 'active' WHERE id IN (
        SELECT DISTINCT ON (challenge_id, phase, task) id FROM datasets
        ORDER BY challenge_id, phase, task, created_at DESC, id DESC
    )
"""


def upgrade() -> None:
    """Applies it."""
    op.add_column("datasets", sa.Column("state", sa.String(), server_default="superseded", nullable=False))
    op.add_column("datasets", sa.Column("imported_by", sa.String(), nullable=True))
    op.execute(_BACKFILL)
    op.create_index(
        "uq_datasets_in_force",
        "datasets",
        ["challenge_id", "phase", "task"],
        unique=True,
        postgresql_where="state = 'active'",
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_index("uq_datasets_in_force", table_name="datasets")
    op.drop_column("datasets", "imported_by")
    op.drop_column("datasets", "state")
