"""Decisions about teams and attempts: hidden, waiting and merged teams, grants of attempts, voided evaluations."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_BEFORE = ("name", "eligible", "disclaimer", "disqualified", "is_baseline")
_SINCE = (*_BEFORE, "hidden")


def upgrade() -> None:
    """Applies it."""
    for name in ("hidden", "waits"):
        op.add_column("teams", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("teams", sa.Column("merged_into", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_teams_merged_into"), "teams", "teams", ["merged_into"], ["id"])
    op.add_column("evaluations", sa.Column("voided", sa.String(), nullable=True))
    op.create_table(
        "attempt_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("valid", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_attempt_grants_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt_grants")),
    )
    op.create_index(op.f("ix_attempt_grants_team_id"), "attempt_grants", ["team_id"])
    _tell(_SINCE)


def downgrade() -> None:
    """Takes it back."""
    _tell(_BEFORE)
    op.drop_table("attempt_grants")
    op.drop_column("evaluations", "voided")
    for name in ("merged_into", "waits", "hidden"):
        op.drop_column("teams", name)


def _tell(columns: tuple[str, ...]) -> None:
    """Has the database tell of a change of these columns of a team."""
    op.execute("DROP TRIGGER board_changed ON teams")
    when = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns)
    op.execute(
        f"CREATE TRIGGER board_changed AFTER UPDATE OF {', '.join(columns)} ON teams FOR EACH ROW "
        f"WHEN ({when}) EXECUTE FUNCTION board_changed()"
    )
