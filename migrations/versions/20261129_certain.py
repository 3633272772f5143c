"""How sure places are is kept, worked out when scores have changed; that it is there tells that a board has changed."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE FUNCTION certainty_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('boards', NEW.challenge_id || ' ' || NEW.phase);
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Applies it."""
    op.create_table(
        "certainties",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("places", sa.LargeBinary(), nullable=True),
        sa.Column("behind", sa.LargeBinary(), nullable=True),
        sa.Column("trouble", sa.String(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name=op.f("fk_certainties_challenge_id")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_certainties")),
    )
    op.create_index(
        op.f("ix_certainties_challenge_id_phase_track"), "certainties", ["challenge_id", "phase", "track"]
    )
    op.execute(_FUNCTION)
    op.execute(
        "CREATE TRIGGER certainty_kept AFTER INSERT ON certainties FOR EACH ROW EXECUTE FUNCTION certainty_kept()"
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_table("certainties")
    op.execute("DROP FUNCTION certainty_kept()")
