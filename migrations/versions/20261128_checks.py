"""What checks of uploads took, so that teams take turns."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_UPLOADS = (
    sa.Column("check_began_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("check_seconds", sa.Double(), server_default="0", nullable=False),
)


def upgrade() -> None:
    """Applies it."""
    for column in _UPLOADS:
        op.add_column("uploads", column.copy())


def downgrade() -> None:
    """Takes it back."""
    for column in _UPLOADS:
        op.drop_column("uploads", column.name)
