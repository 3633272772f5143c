"""What a score worker made of outputs of its own is kept, for organizers alone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.create_table(
        "reference_submissions",
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("spec_version_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("claim_no", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evaluator_version", sa.String(), nullable=True),
        sa.Column("trouble", sa.String(), nullable=True),
        sa.Column("judgements", postgresql.JSONB(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name=op.f("fk_reference_submissions_challenge_id")
        ),
        sa.ForeignKeyConstraint(
            ["spec_version_id"], ["spec_versions.id"], name=op.f("fk_reference_submissions_spec_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_reference_submissions_dataset_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_submissions")),
    )
    op.create_index(
        op.f("ix_reference_submissions_challenge_id_phase_task"),
        "reference_submissions",
        ["challenge_id", "phase", "task"],
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_table("reference_submissions")
