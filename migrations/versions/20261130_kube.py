"""Score workers tell that they are there, and which challenges they score."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0032_kube"
down_revision = "0031_slurm"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.create_table(
        "score_workers",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("challenges", JSONB(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_table("score_workers")
