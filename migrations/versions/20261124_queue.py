"""The queue's figures: what slots run and teams used lately, what was measured, and what is left of an evaluation."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_EVALUATIONS = (
    sa.Column("needs_runtime", sa.String(), server_default="runc", nullable=False),
    sa.Column("remaining", sa.Integer(), server_default="0", nullable=False),
    sa.Column("seconds", sa.Double(), server_default="0", nullable=False),
    sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
    sa.Column("peak_gpu_memory_bytes", sa.BigInteger(), nullable=True),
    sa.Column("fresh_only", sa.Boolean(), server_default=sa.false(), nullable=False),
)
_CASE_RUNS = (
    sa.Column("cpu_seconds", sa.Double(), nullable=True),
    sa.Column("gpu_memory_bytes", sa.BigInteger(), nullable=True),
    sa.Column("wait_seconds", sa.Double(), nullable=True),
    sa.Column("mode", sa.String(), nullable=True),
)
_SLOTS = (
    sa.Column(
        "runtimes",
        postgresql.JSONB(astext_type=sa.Text()),
        server_default='["runc"]',
        nullable=False,
    ),
    sa.Column("most", sa.Integer(), server_default="1", nullable=False),
    sa.Column("invoke", sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column("unfit", sa.String(), nullable=True),
    sa.Column("evaluation_id", sa.Uuid(), nullable=True),
    sa.Column("team_id", sa.Uuid(), nullable=True),
    sa.Column("image_id", sa.Uuid(), nullable=True),
    sa.Column("charged_at", sa.DateTime(timezone=True), nullable=True),
)
# What is under way in an installation that is updated. A count that is off by what ends meanwhile does no harm.
_BACKFILL = """
    UPDATE evaluations SET
        remaining = (SELECT count(*) FROM case_runs WHERE evaluation_id = evaluations.id AND verdict IS NULL),
        seconds = (SELECT coalesce(sum(seconds), 0) FROM case_runs WHERE evaluation_id = evaluations.id),
        peak_memory_bytes = (SELECT max(peak_memory_bytes) FROM case_runs WHERE evaluation_id = evaluations.id)
    WHERE status IN ('queued', 'running')
"""


def upgrade() -> None:
    """Applies it."""
    for table, columns in (
        ("evaluations", _EVALUATIONS),
        ("case_runs", _CASE_RUNS),
        ("worker_slots", _SLOTS),
    ):
        for column in columns:
            op.add_column(table, column.copy())
    op.create_table(
        "team_usage",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_usage_team_id")),
        sa.PrimaryKeyConstraint("team_id", name=op.f("pk_team_usage")),
    )
    op.create_index(
        "ix_case_runs_held",
        "case_runs",
        ["worker_id", "worker", "evaluation_id"],
        unique=False,
        postgresql_where=sa.text("status = 'running'"),
    )
    # These rows change with every case: room beside them keeps the new ones on their pages and out of the indexes.
    op.execute("ALTER TABLE evaluations SET (fillfactor = 70)")
    op.execute("ALTER TABLE worker_slots SET (fillfactor = 50)")
    op.execute("ALTER TABLE team_usage SET (fillfactor = 50)")
    op.execute(_BACKFILL)


def downgrade() -> None:
    """Takes it back."""
    op.execute("ALTER TABLE worker_slots RESET (fillfactor)")
    op.execute("ALTER TABLE evaluations RESET (fillfactor)")
    op.drop_index("ix_case_runs_held", table_name="case_runs", postgresql_where=sa.text("status = 'running'"))
    op.drop_table("team_usage")
    for table, columns in (
        ("worker_slots", _SLOTS),
        ("case_runs", _CASE_RUNS),
        ("evaluations", _EVALUATIONS),
    ):
        for column in columns:
            op.drop_column(table, column.name)
