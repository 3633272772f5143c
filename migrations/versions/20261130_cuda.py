"""The driver of a slot's GPU: its version, and the newest CUDA that it takes."""

import sqlalchemy as sa
from alembic import op

revision = "0034_cuda"
down_revision = "0033_registry"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column("worker_slots", sa.Column("gpu_driver", sa.String(), nullable=True))
    op.add_column("worker_slots", sa.Column("gpu_cuda", sa.String(), nullable=True))


def downgrade() -> None:
    """Takes it back."""
    op.drop_column("worker_slots", "gpu_cuda")
    op.drop_column("worker_slots", "gpu_driver")
