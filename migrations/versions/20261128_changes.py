"""Who changes what a board shows tells so: NOTIFY boards, with the challenge's id and the phase, once per transaction.

What concerns every phase (the standing of a team, the challenge file, what is released) is told without one.

Only what boards read counts: scored evaluations, their scores, the standing of teams, which cases are in force, the
present challenge file and what is released. Leases, heartbeats and cases touch none of it.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE FUNCTION board_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    IF TG_TABLE_NAME = 'challenges' THEN
        told := NEW.id::text;
    ELSIF TG_TABLE_NAME = 'teams' THEN
        told := NEW.challenge_id::text;
    ELSIF TG_TABLE_NAME = 'scores' THEN
        SELECT challenge_id || ' ' || phase INTO told FROM evaluations
            WHERE id = coalesce(NEW.evaluation_id, OLD.evaluation_id) AND status = 'scored';
    ELSIF TG_OP = 'DELETE' THEN
        told := OLD.challenge_id || ' ' || OLD.phase;
    ELSE
        told := NEW.challenge_id || ' ' || NEW.phase;
    END IF;
    IF told IS NOT NULL THEN
        PERFORM pg_notify('boards', told);
    END IF;
    RETURN NULL;
END $$
"""
_TEAMS = ("name", "eligible", "disclaimer", "disqualified", "is_baseline")
_TRIGGERS = (
    ("evaluations", "scored", "INSERT", "NEW.status = 'scored'"),
    (
        "evaluations",
        "changed",
        "UPDATE",
        "(OLD.status = 'scored' OR NEW.status = 'scored') AND OLD IS DISTINCT FROM NEW",
    ),
    ("evaluations", "removed", "DELETE", "OLD.status = 'scored'"),
    ("scores", "changed", "INSERT OR UPDATE OR DELETE", None),
    (
        "teams",
        "changed",
        f"UPDATE OF {', '.join(_TEAMS)}",
        " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _TEAMS),
    ),
    ("datasets", "changed", "INSERT OR UPDATE OR DELETE", None),
    ("challenges", "changed", "UPDATE", "OLD IS DISTINCT FROM NEW"),
)


def upgrade() -> None:
    """Applies it."""
    op.execute(_FUNCTION)
    for table, name, event, condition in _TRIGGERS:
        when = f"WHEN ({condition})" if condition else ""
        op.execute(
            f"CREATE TRIGGER board_{name} AFTER {event} ON {table} FOR EACH ROW {when} "
            "EXECUTE FUNCTION board_changed()"
        )


def downgrade() -> None:
    """Takes it back."""
    for table, name, _, _ in _TRIGGERS:
        op.execute(f"DROP TRIGGER board_{name} ON {table}")
    op.execute("DROP FUNCTION board_changed()")
