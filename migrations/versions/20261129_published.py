"""Results that were published elsewhere: a document for each import, of which one is in force in a phase.

A board that shows them changes with them, and tells so as it does for evaluations (NOTIFY boards).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.create_table(
        "published_results",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name=op.f("fk_published_results_challenge_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_published_results")),
    )
    op.create_index(
        "uq_published_results_in_force",
        "published_results",
        ["challenge_id", "phase"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.execute(
        "CREATE TRIGGER board_changed AFTER INSERT OR UPDATE OR DELETE ON published_results FOR EACH ROW "
        "EXECUTE FUNCTION board_changed()"
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_table("published_results")
