"""The event log cannot be changed, and a chain of hashes over it tells if somebody did."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_GUARDED = ("events", "audit_links")
_KEPT = (*_GUARDED, "amendments", "phase_plans", "label_commitments")
_FUNCTION = """
CREATE OR REPLACE FUNCTION stays_as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '{}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
_NOW = _FUNCTION.format("% is append-only: what stands in it is neither changed nor removed")
_BEFORE = _FUNCTION.format("% is append-only")


def upgrade() -> None:
    """Applies it."""
    op.create_table(
        "audit_links",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_links")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_links_event_id")),
    )
    # When it was written, not when its transaction began: the chain tells by it what was written too late.
    op.alter_column("events", "created_at", server_default=sa.text("clock_timestamp()"))
    op.execute(_NOW)
    for table in _GUARDED:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION stays_as_it_is()"
        )
    for table in _KEPT:
        op.execute(
            f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION stays_as_it_is()"
        )


def downgrade() -> None:
    """Takes it back."""
    for table in _KEPT:
        op.execute(f"DROP TRIGGER never_emptied ON {table}")
    for table in _GUARDED:
        op.execute(f"DROP TRIGGER append_only ON {table}")
    op.execute(_BEFORE)
    op.alter_column("events", "created_at", server_default=sa.text("now()"))
    op.drop_table("audit_links")
