"""Images that their teams removed, checks that wait for room, and which case runs name an output."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns, empty, and the index."""
    op.add_column("images", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("uploads", sa.Column("check_needs", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_case_runs_output", "case_runs", ["output"], postgresql_where=sa.text("output IS NOT NULL")
    )


def downgrade() -> None:
    """Takes them away again."""
    op.drop_index("ix_case_runs_output", table_name="case_runs")
    op.drop_column("uploads", "check_needs")
    op.drop_column("images", "removed_at")
