"""A slot says when the examination of its host began."""

import sqlalchemy as sa
from alembic import op

revision = "0036_examining"
down_revision = "0035_gpu_sizes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column("worker_slots", sa.Column("examining_since", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Takes it back."""
    op.drop_column("worker_slots", "examining_since")
