"""Pushes are fetched by turns of the teams, and know under whose name they lie in the registry."""

import sqlalchemy as sa
from alembic import op

revision = "0034_registry"
down_revision = "0034_cuda"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column("uploads", sa.Column("pushed_to", sa.Uuid(), sa.ForeignKey("teams.id"), nullable=True))
    op.add_column("uploads", sa.Column("fetch_began_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE uploads SET pushed_to = team_id WHERE pushed IS NOT NULL")


def downgrade() -> None:
    """Takes it back."""
    op.drop_column("uploads", "fetch_began_at")
    op.drop_column("uploads", "pushed_to")
