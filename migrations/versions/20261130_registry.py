"""Uploads that came through the registry: which manifest was pushed."""

import sqlalchemy as sa
from alembic import op

revision = "0033_registry"
down_revision = "0032_kube"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column("uploads", sa.Column("pushed", sa.String(), nullable=True))
    op.create_index(
        "ix_uploads_pushed",
        "uploads",
        ["team_id", "pushed"],
        postgresql_where=sa.text("pushed IS NOT NULL"),
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_index("ix_uploads_pushed", "uploads")
    op.drop_column("uploads", "pushed")
