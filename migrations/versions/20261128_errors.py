"""What an evaluation met: every fault of the platform, cases that wait for it to pass, and why one is ERRORED."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_EVALUATIONS = (
    sa.Column("trouble", sa.String(), nullable=True),
    sa.Column("spends", sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column("scoring_not_before", sa.DateTime(timezone=True), nullable=True),
)
# What older versions told teams, though nothing told anybody.
_SAY_WHAT_IS_TRUE = """
    UPDATE evaluations SET reason = replace(
        reason, '; the organizers have been told.', '. The organizers see it in their list of errors.'
    ) WHERE status = 'errored'
"""
_PARKED = sa.text("status = 'parked'")


def upgrade() -> None:
    """Applies it."""
    for column in _EVALUATIONS:
        op.add_column("evaluations", column.copy())
    op.execute(_SAY_WHAT_IS_TRUE)
    op.add_column("case_runs", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_case_runs_parked",
        "case_runs",
        ["evaluation_id", "not_before"],
        unique=False,
        postgresql_where=_PARKED,
    )
    op.create_table(
        "troubles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("evaluation_id", sa.Uuid(), nullable=False),
        sa.Column("case_run_id", sa.Uuid(), nullable=True),
        sa.Column("image_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("counts", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.ForeignKeyConstraint(["case_run_id"], ["case_runs.id"], name=op.f("fk_troubles_case_run_id")),
        sa.ForeignKeyConstraint(
            ["evaluation_id"], ["evaluations.id"], name=op.f("fk_troubles_evaluation_id")
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_troubles_image_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_troubles")),
    )
    op.create_index(op.f("ix_troubles_evaluation_id"), "troubles", ["evaluation_id"], unique=False)
    op.create_index(op.f("ix_troubles_image_id"), "troubles", ["image_id"], unique=False)
    op.create_index(
        op.f("ix_troubles_worker_id_created_at"), "troubles", ["worker_id", "created_at"], unique=False
    )


def downgrade() -> None:
    """Takes it back; what is parked waits, for the older code knows nothing else."""
    op.drop_table("troubles")
    op.drop_index("ix_case_runs_parked", table_name="case_runs", postgresql_where=_PARKED)
    op.execute("UPDATE case_runs SET status = 'waiting' WHERE status = 'parked'")
    op.drop_column("case_runs", "not_before")
    for column in _EVALUATIONS:
        op.drop_column("evaluations", column.name)
