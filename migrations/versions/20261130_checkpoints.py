"""Boards show whether a team's images hold one checkpoint: where a later check finds another one, that is told too."""

from alembic import op

revision = "0034_checkpoints"
down_revision = "0034_registry"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE FUNCTION board_checkpoint_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('boards', challenge_id::text) FROM teams WHERE id = NEW.team_id;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Applies it."""
    op.execute(_FUNCTION)
    op.execute(
        "CREATE TRIGGER board_changed AFTER UPDATE OF facts ON images FOR EACH ROW "
        "WHEN (OLD.facts -> 'checkpoint' IS DISTINCT FROM NEW.facts -> 'checkpoint') "
        "EXECUTE FUNCTION board_checkpoint_changed()"
    )


def downgrade() -> None:
    """Takes it back."""
    op.execute("DROP TRIGGER board_changed ON images")
    op.execute("DROP FUNCTION board_checkpoint_changed()")
