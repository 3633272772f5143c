"""Documents that people accept, who accepted them, and questions to the organizers."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _created() -> sa.Column[object]:
    return sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False)


def upgrade() -> None:
    """Adds the tables, empty."""
    _agreements()
    _questions()


def _agreements() -> None:
    op.create_table(
        "agreements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=True),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.Column("published_by", sa.String(), nullable=False),
        _created(),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenges.id"], name=op.f("fk_agreements_challenge_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreements")),
        sa.UniqueConstraint("challenge_id", "digest", name=op.f("uq_agreements_challenge_id_digest")),
        sa.UniqueConstraint(
            "challenge_id", "document", "number", name=op.f("uq_agreements_challenge_id_document_number")
        ),
    )
    op.create_table(
        "acceptances",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        _created(),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name=op.f("fk_acceptances_agreement_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_acceptances_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acceptances")),
        sa.UniqueConstraint("agreement_id", "user_id", name=op.f("uq_acceptances_agreement_id_user_id")),
    )
    op.create_index(op.f("ix_acceptances_user_id"), "acceptances", ["user_id"])


def _questions() -> None:
    op.create_table(
        "questions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("challenge_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("task", sa.String(), nullable=True),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("published", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_at", _TIME, nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        _created(),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["users.id"], name=op.f("fk_questions_asked_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["challenge_id"], ["challenges.id"], name=op.f("fk_questions_challenge_id")),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name=op.f("fk_questions_submission_id")
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_questions_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
    )
    op.create_index(op.f("ix_questions_team_id"), "questions", ["team_id"])
    op.create_index(op.f("ix_questions_challenge_id_status"), "questions", ["challenge_id", "status"])


def downgrade() -> None:
    """Takes them away again."""
    op.drop_table("questions")
    op.drop_table("acceptances")
    op.drop_table("agreements")
