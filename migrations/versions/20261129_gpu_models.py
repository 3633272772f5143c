"""The model of a slot's GPU, as its driver names it."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column("worker_slots", sa.Column("gpu_model", sa.String(), nullable=True))


def downgrade() -> None:
    """Undoes it."""
    op.drop_column("worker_slots", "gpu_model")
