"""Identities at providers, log-ins through them, addresses that are verified, and when a token was used last."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    """Applies it. No address that is there counts as verified: nobody looked."""
    op.add_column("users", _time("verified_at", nullable=True))
    op.add_column("api_tokens", _time("last_used_at", nullable=True))
    op.add_column("api_tokens", sa.Column("network", sa.String(), nullable=True))
    _identities()
    _sign_ins()


def downgrade() -> None:
    """Takes it back."""
    op.drop_table("sign_ins")
    op.drop_table("identities")
    op.drop_column("api_tokens", "network")
    op.drop_column("api_tokens", "last_used_at")
    op.drop_column("users", "verified_at")


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        _time("created_at", default=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_identities_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("provider", "subject", name=op.f("uq_identities_provider_subject")),
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"])


def _sign_ins() -> None:
    texts = ("provider", "secret_hash", "page_hash", "typed", "asked_by", "nonce", "verifier")
    later = ("state_hash", "browser_hash", "subject", "email", "name", "refused")
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        *(sa.Column(name, sa.String(), nullable=True) for name in later),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("email_verified", sa.Boolean(), server_default=sa.false(), nullable=False),
        _time("expires_at"),
        _time("created_at", default=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sign_ins_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        *(
            sa.UniqueConstraint(name, name=op.f(f"uq_sign_ins_{name}"))
            for name in ("secret_hash", "page_hash", "state_hash")
        ),
    )
    op.create_index(op.f("ix_sign_ins_expires_at"), "sign_ins", ["expires_at"])


def _time(name: str, *, nullable: bool = False, default: bool = False) -> sa.Column[object]:
    kind = sa.DateTime(timezone=True)
    return sa.Column(name, kind, server_default=_NOW if default else None, nullable=nullable)
