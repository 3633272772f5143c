"""Which evaluation counts is said by itself, and challenges have organizers of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column(
        "evaluations", sa.Column("standing", sa.String(), server_default="in_force", nullable=False)
    )
    op.create_table(
        "challenge_roles",
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("named_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name=op.f("fk_challenge_roles_challenge_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_challenge_roles_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("challenge_id", "user_id", name=op.f("pk_challenge_roles")),
    )
    op.create_index(op.f("ix_challenge_roles_user_id"), "challenge_roles", ["user_id"])


def downgrade() -> None:
    """Takes it back."""
    op.drop_table("challenge_roles")
    op.drop_column("evaluations", "standing")
