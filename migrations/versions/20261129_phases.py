"""Amendments that the public sees, what decides the scores of a phase as it was recorded, and commitments to labels."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_TABLES = ("amendments", "phase_plans", "label_commitments")
_FUNCTION = """
CREATE FUNCTION stays_as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""


def _made(clock: str = "clock_timestamp()") -> sa.Column[object]:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text(clock), nullable=False)


def _of_challenge(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_challenge_id")
    return sa.ForeignKeyConstraint(["challenge_id"], ["challenges.id"], name=name)


def upgrade() -> None:
    """Applies it."""
    op.create_table(
        "amendments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(), nullable=True),
        sa.Column("task", sa.String(), nullable=True),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("spec_version_id", sa.Uuid(), nullable=True),
        _made(),
        _of_challenge("amendments"),
        sa.ForeignKeyConstraint(
            ["spec_version_id"], ["spec_versions.id"], name=op.f("fk_amendments_spec_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_amendments")),
    )
    op.create_index(op.f("ix_amendments_challenge_id"), "amendments", ["challenge_id"])
    op.create_table(
        "phase_plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        _made(),
        _of_challenge("phase_plans"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phase_plans")),
    )
    op.create_index(op.f("ix_phase_plans_challenge_id"), "phase_plans", ["challenge_id", "phase"])
    op.create_table(
        "label_commitments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("labels", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        _made("now()"),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_label_commitments_dataset_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_commitments")),
        sa.UniqueConstraint("dataset_id", name=op.f("uq_label_commitments_dataset_id")),
    )
    op.execute(_FUNCTION)
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION stays_as_it_is()"
        )


def downgrade() -> None:
    """Takes it back."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION stays_as_it_is()")
