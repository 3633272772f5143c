"""How slots behave, what each run worker's token has read, and how many slots it may have."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COUNTS = ("finished", "handed_back", "abandoned", "faulted", "strikes")
_TIMES = ("struck_at", "told_at", "paused_until")


def upgrade() -> None:
    """Adds them; what tokens have read before is not known."""
    op.add_column("api_tokens", sa.Column("slots", sa.Integer(), server_default="64", nullable=False))
    for name in _COUNTS:
        op.add_column("worker_slots", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    for name in _TIMES:
        op.add_column("worker_slots", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("case_runs", sa.Column("downloads", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "worker_reads",
        sa.Column("worker_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", "subject", "subject_id", name=op.f("pk_worker_reads")),
    )
    op.create_index(
        "ix_case_runs_answered",
        "case_runs",
        ["worker_id", "finished_at"],
        unique=False,
        postgresql_where=sa.text("status = 'done'"),
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_index("ix_case_runs_answered", table_name="case_runs")
    op.drop_table("worker_reads")
    op.drop_column("case_runs", "downloads")
    for name in (*_TIMES, *_COUNTS):
        op.drop_column("worker_slots", name)
    op.drop_column("api_tokens", "slots")
