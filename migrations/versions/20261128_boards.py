"""How evaluations were scored, what is to be said of an interval, and teams that were disqualified.

What was scored before holds no trace of the code that scored it, so its base stays unknown (null): boards list it as
scored otherwise until it is scored again.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("evaluations", sa.Column("scored_with", postgresql.JSONB(astext_type=sa.Text()), nullable=True)),
    ("scores", sa.Column("note", sa.String(), nullable=True)),
    ("teams", sa.Column("disqualified", sa.String(), nullable=True)),
)


def upgrade() -> None:
    """Applies it."""
    for table, column in _COLUMNS:
        op.add_column(table, column.copy())


def downgrade() -> None:
    """Takes it back."""
    for table, column in reversed(_COLUMNS):
        op.drop_column(table, column.name)
