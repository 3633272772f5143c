"""Re-evaluations make evaluations beside those in force; only what counts tells that a board has changed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE OR REPLACE FUNCTION board_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    IF TG_TABLE_NAME = 'challenges' THEN
        told := NEW.id::text;
    ELSIF TG_TABLE_NAME = 'teams' THEN
        told := NEW.challenge_id::text;
    ELSIF TG_TABLE_NAME = 'scores' THEN
        SELECT challenge_id || ' ' || phase INTO told FROM evaluations
            WHERE id = coalesce(NEW.evaluation_id, OLD.evaluation_id) AND status = 'scored'{counts};
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
_SCORED = "({row}.status = 'scored' AND {row}.standing = 'in_force')"
_OLD, _NEW = _SCORED.format(row="OLD"), _SCORED.format(row="NEW")
_CHANGED = "OLD IS DISTINCT FROM NEW"
_TRIGGERS = {
    "scored": ("INSERT", _NEW, "NEW.status = 'scored'"),
    "changed": (
        "UPDATE",
        f"({_OLD} OR {_NEW}) AND {_CHANGED}",
        f"(OLD.status = 'scored' OR NEW.status = 'scored') AND {_CHANGED}",
    ),
    "removed": ("DELETE", _OLD, "OLD.status = 'scored'"),
}
_MOMENTS = ("started_at", "ready_at", "applied_at", "cancelled_at", "reverted_at")


def upgrade() -> None:
    """Applies it."""
    _make_table()
    op.add_column("evaluations", sa.Column("reevaluation_id", sa.Uuid(), nullable=True))
    op.add_column("evaluations", sa.Column("replaces_id", sa.Uuid(), nullable=True))
    op.add_column("evaluations", sa.Column("repetition", sa.Integer(), server_default="1", nullable=False))
    op.add_column("case_runs", sa.Column("copy_of", sa.Uuid(), nullable=True))
    for table, column, other in (
        ("evaluations", "reevaluation_id", "reevaluations"),
        ("evaluations", "replaces_id", "evaluations"),
        ("case_runs", "copy_of", "case_runs"),
    ):
        op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, other, [column], ["id"])
    op.create_index(op.f("ix_evaluations_replaces_id"), "evaluations", ["replaces_id"])
    op.create_unique_constraint(
        op.f("uq_evaluations_reevaluation_id_replaces_id_repetition"),
        "evaluations",
        ["reevaluation_id", "replaces_id", "repetition"],
    )
    op.create_index(
        "uq_evaluations_in_force",
        "evaluations",
        ["submission_id", "task"],
        unique=True,
        postgresql_where=sa.text("standing = 'in_force'"),
    )
    op.execute(_FUNCTION.format(counts=" AND standing = 'in_force'"))
    _make_triggers(0)


def _make_table() -> None:
    op.create_table(
        "reevaluations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("scope", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("repetitions", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("target_version_id", sa.Uuid(), nullable=True),
        sa.Column("target_datasets", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in _MOMENTS),
        sa.Column("applied_digest", sa.String(), nullable=True),
        sa.Column("swapped", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name=op.f("fk_reevaluations_challenge_id")
        ),
        sa.ForeignKeyConstraint(
            ["target_version_id"], ["spec_versions.id"], name=op.f("fk_reevaluations_target_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reevaluations")),
    )
    op.create_index(op.f("ix_reevaluations_challenge_id"), "reevaluations", ["challenge_id"])


def _make_triggers(which: int) -> None:
    """Those of evaluations anew: with the conditions of now, or of before."""
    for name, (event, *conditions) in _TRIGGERS.items():
        op.execute(f"DROP TRIGGER board_{name} ON evaluations")
        op.execute(
            f"CREATE TRIGGER board_{name} AFTER {event} ON evaluations FOR EACH ROW WHEN ({conditions[which]}) "
            "EXECUTE FUNCTION board_changed()"
        )


def downgrade() -> None:
    """Takes it back; what re-evaluations made stays, and keeps its standing."""
    _make_triggers(1)
    op.execute(_FUNCTION.format(counts=""))
    op.drop_index("uq_evaluations_in_force", "evaluations")
    op.drop_constraint(
        op.f("uq_evaluations_reevaluation_id_replaces_id_repetition"), "evaluations", type_="unique"
    )
    op.drop_index(op.f("ix_evaluations_replaces_id"), "evaluations")
    op.drop_column("case_runs", "copy_of")
    for column in ("repetition", "replaces_id", "reevaluation_id"):
        op.drop_column("evaluations", column)
    op.drop_table("reevaluations")
