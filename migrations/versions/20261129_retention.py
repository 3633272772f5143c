"""A person can be erased; what was deleted for good has a certificate."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "deletion_certificates",
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("statement", postgresql.JSONB(), nullable=False),
        sa.Column("blobs", postgresql.JSONB(), nullable=False),
        sa.Column("signature", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name=op.f("fk_deletion_certificates_challenge_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_certificates")),
    )
    op.create_index(
        op.f("ix_deletion_certificates_challenge_id"), "deletion_certificates", ["challenge_id"], unique=False
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_index(op.f("ix_deletion_certificates_challenge_id"), table_name="deletion_certificates")
    op.drop_table("deletion_certificates")
    op.drop_column("users", "erased_at")
