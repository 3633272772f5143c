"""What scoring makes is stored whole: influence values, how an interval was made, reports by board.

A score from before says what it lacks; the sentence about a value outside its interval, which was found anew whenever
it was shown, is kept with it. Reports leave the receipts, which are what is signed and nothing else.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COLUMNS = (
    sa.Column("method", sa.String(), nullable=True),
    sa.Column("fault", sa.String(), nullable=True),
    sa.Column("lacks", sa.String(), nullable=True),
    sa.Column("influence", sa.LargeBinary(), nullable=True),
)
_LACKS = """
    UPDATE scores SET lacks = 'It was scored before the platform kept how much each subject moves a value, which a '
        'test between teams needs; it has to be scored again for that.'
    WHERE value IS NOT NULL
"""
_OUTSIDE = """
    UPDATE scores SET note = 'The value lies outside its interval: resampling shifts this metric, so the interval says '
        'how much the value varies, not where it lies.'
    WHERE note IS NULL AND (value < low - 1e-9 OR value > high + 1e-9)
"""
_REPORTS = """
    INSERT INTO reports (evaluation_id, board, content)
    SELECT evaluation_id, found.key, found.value - 'metrics' - 'per_case'
    FROM receipts, jsonb_each(reports) AS found
"""
_BACK = """
    UPDATE receipts SET reports = coalesce(
        (SELECT jsonb_object_agg(board, content || '{"metrics": null, "per_case": null}')
         FROM reports WHERE reports.evaluation_id = receipts.evaluation_id), '{}')
"""


def upgrade() -> None:
    """Applies it."""
    for column in _COLUMNS:
        op.add_column("scores", column.copy())
    op.execute(_LACKS)
    op.execute(_OUTSIDE)
    op.create_table(
        "reports",
        sa.Column("evaluation_id", sa.Uuid(), nullable=False),
        sa.Column("board", sa.String(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["evaluation_id"], ["evaluations.id"], name=op.f("fk_reports_evaluation_id")),
        sa.PrimaryKeyConstraint("evaluation_id", "board", name=op.f("pk_reports")),
    )
    op.execute(_REPORTS)
    op.drop_column("receipts", "reports")


def downgrade() -> None:
    """Takes it back."""
    op.add_column("receipts", sa.Column("reports", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.execute(_BACK)
    op.alter_column("receipts", "reports", nullable=False)
    op.drop_table("reports")
    for column in reversed(_COLUMNS):
        op.drop_column("scores", column.name)
