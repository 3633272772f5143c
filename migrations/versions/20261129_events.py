"""Events have columns, and leases of cases, scoring and checks the same words.

What an event said in prose is parsed; what is no change of a status keeps its words in `what`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_EVENTS = (
    sa.Column("old", sa.String(), nullable=True),
    sa.Column("new", sa.String(), nullable=True),
    sa.Column("code", sa.String(), nullable=True),
    sa.Column("claim_no", sa.Integer(), nullable=True),
)
_UPLOADS = (
    sa.Column("check_faults", sa.Integer(), server_default="0", nullable=False),
    sa.Column("check_not_before", sa.DateTime(timezone=True), nullable=True),
)
_RENAMED = (
    ("evaluations", "scoring_claim", "scoring_claim_no"),
    ("evaluations", "scoring_until", "scoring_lease_until"),
    ("uploads", "check_no", "check_claim_no"),
    ("uploads", "check_expires_at", "check_lease_until"),
)
_TEXTS = (("uploads", "status"), ("api_tokens", "kind"))
_PARSE = r"""
    UPDATE events SET what = NULL, old = found[1], new = found[2], claim_no = found[3]::integer, code = found[4]
    FROM (
        SELECT id, regexp_match(what, '^([a-z]+) → ([a-z]+)(?: \(claim (\d+)\)| \(([a-z_:]+)\))?$') AS found
        FROM events WHERE subject IN ('evaluation', 'case_run', 'dataset')
    ) AS parsed
    WHERE parsed.id = events.id AND found IS NOT NULL
"""
_VERDICTS = """
    UPDATE events SET code = why, why = NULL
    WHERE subject = 'case_run' AND new IN ('done', 'parked') AND why ~ '^[a-z_]+(:[a-z_]+)?$'
"""
_OF_UPLOADS = """
    UPDATE events SET
        what = NULL,
        new = what,
        old = CASE
            WHEN what = 'checking' OR what = 'rejected' AND why = 'upload_expired' THEN 'receiving'
            WHEN what IN ('ready', 'rejected') THEN 'checking'
        END,
        code = CASE WHEN what = 'rejected' THEN why END,
        why = CASE WHEN what <> 'rejected' THEN why END
    WHERE subject = 'upload' AND what IN ('receiving', 'checking', 'ready', 'rejected')
"""
_ONE_NAME = "UPDATE events SET actor = 'platform' WHERE actor IN ('system', 'score worker')"
# A check that was put back waited on what said when a lease ends; one under way counts once it came to no end.
_CHECKS = """
    UPDATE uploads SET
        check_faults = greatest(check_claim_no - (check_began_at IS NOT NULL)::integer, 0),
        check_not_before = CASE WHEN check_began_at IS NULL THEN check_lease_until END,
        check_lease_until = CASE WHEN check_began_at IS NOT NULL THEN check_lease_until END
    WHERE status = 'checking'
"""
_PROSE = """
    UPDATE events SET
        what = CASE
            WHEN subject = 'upload' THEN new
            WHEN old IS NULL THEN 'imported'
            ELSE old || ' → ' || new || CASE
                WHEN subject = 'case_run' THEN ' (claim ' || claim_no || ')'
                ELSE coalesce(' (' || code || ')', '')
            END
        END,
        why = CASE WHEN subject IN ('case_run', 'upload') THEN coalesce(code, why) ELSE why END
    WHERE what IS NULL
"""
_CHECKS_BACK = """
    UPDATE uploads SET
        check_claim_no = check_faults + (check_began_at IS NOT NULL)::integer,
        check_lease_until = coalesce(check_lease_until, check_not_before)
    WHERE status = 'checking'
"""


def upgrade() -> None:
    """Applies it."""
    for column in _EVENTS:
        op.add_column("events", column.copy())
    op.alter_column("events", "what", nullable=True)
    for statement in (_PARSE, _VERDICTS, _OF_UPLOADS, _ONE_NAME):
        op.get_bind().exec_driver_sql(statement)
    op.create_check_constraint(
        op.f("ck_events_says_something"), "events", "what IS NOT NULL OR new IS NOT NULL"
    )
    for table, old, new in _RENAMED:
        op.alter_column(table, old, new_column_name=new)
    for column in _UPLOADS:
        op.add_column("uploads", column.copy())
    op.get_bind().exec_driver_sql(_CHECKS)
    for table, column_name in _TEXTS:
        op.alter_column(table, column_name, type_=sa.String(), existing_nullable=False)


def downgrade() -> None:
    """Takes it back; events become prose again."""
    for table, column_name in _TEXTS:
        op.alter_column(table, column_name, type_=sa.String(16), existing_nullable=False)
    op.get_bind().exec_driver_sql(_CHECKS_BACK)
    for column in reversed(_UPLOADS):
        op.drop_column("uploads", column.name)
    for table, old, new in reversed(_RENAMED):
        op.alter_column(table, new, new_column_name=old)
    op.drop_constraint(op.f("ck_events_says_something"), "events")
    op.get_bind().exec_driver_sql(_PROSE)
    op.alter_column("events", "what", nullable=False)
    for column in reversed(_EVENTS):
        op.drop_column("events", column.name)
