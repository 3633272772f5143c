"""Notices, webhooks, and the outbox that mails and webhooks wait in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def _time(name: str, *, now: bool = False) -> sa.Column[object]:
    kind = sa.DateTime(timezone=True)
    return sa.Column(name, kind, server_default=_NOW if now else None, nullable=not now)


def _id(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid())


def upgrade() -> None:
    """Applies it. Whoever saw a submission end before this is not told of it again."""
    _endpoints()
    _deliveries()
    _notices()
    op.add_column("submissions", _time("told_at"))
    op.execute(
        "UPDATE submissions SET told_at = now() WHERE NOT EXISTS (SELECT FROM evaluations WHERE "
        "evaluations.submission_id = submissions.id AND evaluations.status IN ('queued', 'running', 'scoring'))"
    )
    errored = sa.text("status = 'errored'")
    op.create_index("ix_evaluations_errored", "evaluations", ["finished_at"], postgresql_where=errored)
    op.create_index(
        "ix_submissions_untold", "submissions", ["id"], postgresql_where=sa.text("told_at IS NULL")
    )


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _id("team_id"),
        _id("challenge_id"),
        _id("made_by"),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("kinds", JSONB(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("old_secret", sa.String()),
        *(_time(name) for name in ("old_secret_until", "failing_since", "disabled_at")),
        sa.Column("disabled_why", sa.String()),
        _time("created_at", now=True),
        sa.CheckConstraint("team_id IS NULL OR challenge_id IS NULL", name="of_one"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenges.id"]),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_webhook_endpoints_team_id", "webhook_endpoints", ["team_id"])
    op.create_index("ix_webhook_endpoints_made_by", "webhook_endpoints", ["made_by"])
    op.create_index("ix_webhook_endpoints_challenge_id", "webhook_endpoints", ["challenge_id"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False, unique=True),
        _id("user_id"),
        _id("endpoint_id"),
        sa.Column("address", sa.String()),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _time("next_at", now=True),
        sa.Column("error", sa.String()),
        _time("ended_at"),
        _time("created_at", now=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"], ondelete="CASCADE"),
    )
    queued = sa.text("status = 'queued'")
    op.create_index("ix_deliveries_queued", "deliveries", ["channel", "next_at"], postgresql_where=queued)
    op.create_index("ix_deliveries_endpoint_id_created_at", "deliveries", ["endpoint_id", "created_at"])
    op.create_index("ix_deliveries_ended_at", "deliveries", ["ended_at"])
    op.create_index("ix_deliveries_user_id", "deliveries", ["user_id"])


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        _id("challenge_id"),
        _id("team_id"),
        sa.Column("key", sa.String(), nullable=False, unique=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("about", JSONB(), nullable=False),
        _time("dispatched_at"),
        _time("created_at", now=True),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenges.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], ondelete="CASCADE"),
    )
    waiting = sa.text("dispatched_at IS NULL")
    op.create_index("ix_notices_undispatched", "notices", ["id"], postgresql_where=waiting)
    op.create_index("ix_notices_created_at", "notices", ["created_at"])
    op.create_index("ix_notices_team_id", "notices", ["team_id"])
    op.create_table(
        "notice_copies",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("notice_id", sa.Uuid(), primary_key=True),
        _time("read_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], ondelete="CASCADE"),
    )
    unread = sa.text("read_at IS NULL")
    op.create_index(
        "ix_notice_copies_unread", "notice_copies", ["user_id", "notice_id"], postgresql_where=unread
    )
    op.create_index("ix_notice_copies_notice_id", "notice_copies", ["notice_id"])
    op.create_table(
        "notice_settings",
        sa.Column("user_id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("mail", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_index("ix_submissions_untold", "submissions")
    op.drop_index("ix_evaluations_errored", "evaluations")
    op.drop_column("submissions", "told_at")
    for table in ("notice_settings", "notice_copies", "notices", "deliveries", "webhook_endpoints"):
        op.drop_table(table)
