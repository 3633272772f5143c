"""Editions: what a released leaderboard showed, kept at its release and at each change after it; append-only."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030_editions"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.create_table(
        "editions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Enum("released", "changed", "found", native_enum=False), nullable=False),
        sa.Column("what", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("places", postgresql.JSONB(), nullable=False),
        sa.Column("boards", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenges.id"], name=op.f("fk_editions_challenge_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_editions")),
        sa.UniqueConstraint(
            "challenge_id", "phase", "number", name=op.f("uq_editions_challenge_id_phase_number")
        ),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON editions FOR EACH ROW "
        "EXECUTE FUNCTION stays_as_it_is()"
    )
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON editions FOR EACH STATEMENT "
        "EXECUTE FUNCTION stays_as_it_is()"
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_table("editions")
