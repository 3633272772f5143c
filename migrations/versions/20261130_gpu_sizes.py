"""The memory that an evaluation needs of a GPU is counted as cards are sold, in decimal units."""

import sqlalchemy as sa
from alembic import op

revision = "0035_gpu_sizes"
down_revision = "0034_checkpoints"
branch_labels = None
depends_on = None

_CHANGED = "UPDATE evaluations SET needs_gpu_memory = {} WHERE needs_gpu_memory > 0"


def upgrade() -> None:
    """Applies it."""
    op.execute(sa.text(_CHANGED.format("floor(needs_gpu_memory * 1000000000.0 / 1073741824)")))


def downgrade() -> None:
    """Takes it back."""
    op.execute(sa.text(_CHANGED.format("ceil(needs_gpu_memory * 1073741824.0 / 1000000000)")))
