"""Which version of the cases is in force, who imported it, and which version of the challenge file it fits."""

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
    op.add_column("datasets", sa.Column("fits_version_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_datasets_fits_version_id"), "datasets", "spec_versions", ["fits_version_id"], ["id"]
    )
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
    op.drop_constraint(op.f("fk_datasets_fits_version_id"), "datasets")
    op.drop_column("datasets", "fits_version_id")
    op.drop_column("datasets", "imported_by")
    op.drop_column("datasets", "state")
