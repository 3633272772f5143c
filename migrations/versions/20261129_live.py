"""Submissions keep the commit they were made of, and tell when what their teams see of them changes.

NOTIFY submissions, with the submission's id, once per transaction: where an evaluation's status or standing changes.
Leases, heartbeats and verdicts touch neither, and so pay nothing; progress is looked at by the clock.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE FUNCTION submission_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('submissions', NEW.submission_id::text);
    RETURN NULL;
END $$
"""
_COLUMNS = ("status", "standing", "priority")


def upgrade() -> None:
    """Applies it."""
    op.add_column("submissions", sa.Column("source_commit", sa.String(), nullable=True))
    op.add_column("submissions", sa.Column("source_clean", sa.Boolean(), nullable=True))
    op.execute(_FUNCTION)
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _COLUMNS)
    op.execute(
        f"CREATE TRIGGER submission_changed AFTER UPDATE OF {', '.join(_COLUMNS)} ON evaluations FOR EACH ROW "
        f"WHEN ({changed}) EXECUTE FUNCTION submission_changed()"
    )


def downgrade() -> None:
    """Takes it back."""
    op.execute("DROP TRIGGER submission_changed ON evaluations")
    op.execute("DROP FUNCTION submission_changed()")
    op.drop_column("submissions", "source_clean")
    op.drop_column("submissions", "source_commit")
