"""Cases that come to wait tell so: NOTIFY cases, once per transaction, for run workers that wait over HTTP.

Claims, heartbeats and verdicts make no case wait, and so pay nothing.
"""

from alembic import op

revision = "0031_slurm"
down_revision = "0030_editions"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE FUNCTION cases_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY cases;
    RETURN NULL;
END $$
"""
_TRIGGERS = {
    "cases_made": "AFTER INSERT ON case_runs FOR EACH STATEMENT",
    "cases_back": "AFTER UPDATE OF status ON case_runs FOR EACH ROW "
    "WHEN (NEW.status = 'waiting' AND OLD.status <> 'waiting')",
    "cases_cleared": "AFTER UPDATE OF cleared ON evaluations FOR EACH ROW "
    "WHEN (NEW.cleared AND NOT OLD.cleared)",
}


def upgrade() -> None:
    """Applies it."""
    op.execute(_FUNCTION)
    for name, when in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION cases_wait()")


def downgrade() -> None:
    """Takes it back."""
    for name, when in _TRIGGERS.items():
        table = "evaluations" if " ON evaluations " in when else "case_runs"
        op.execute(f"DROP TRIGGER {name} ON {table}")
    op.execute("DROP FUNCTION cases_wait()")
