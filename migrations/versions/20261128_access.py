"""Closed accounts, tokens that end with the token that made them, invitations that are revoked, names that look alike.

Invitations and tokens that exist keep an unknown maker. Of teams whose names look alike already, the oldest has the
look to itself; the others stay as they are.
"""

import sqlalchemy as sa
from alembic import op

from server.names import skeleton

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_COLUMNS = (
    ("users", sa.Column("closed_at", _TIME, nullable=True)),
    ("users", sa.Column("closed_why", sa.String(), nullable=True)),
    ("api_tokens", sa.Column("parent_id", sa.Uuid(), nullable=True)),
    ("api_tokens", sa.Column("made_by", sa.Uuid(), nullable=True)),
    ("log_in_attempts", sa.Column("ends", _TIME, server_default=sa.text("now()"), nullable=False)),
    ("teams", sa.Column("skeleton", sa.String(), nullable=True)),
    ("invitations", sa.Column("made_by", sa.Uuid(), nullable=True)),
    ("invitations", sa.Column("revoked_at", _TIME, nullable=True)),
)
_REFERENCES = (
    ("api_tokens", "api_tokens", "parent_id", "CASCADE"),
    ("api_tokens", "users", "made_by", "SET NULL"),
    ("invitations", "users", "made_by", "SET NULL"),
)
_INDEXES = (("api_tokens", "parent_id"), ("log_in_attempts", "ends"), ("invitations", "made_by"))


def upgrade() -> None:
    """Applies it."""
    for table, column in _COLUMNS:
        op.add_column(table, column.copy())
    for table, other, column, ended in _REFERENCES:
        op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, other, [column], ["id"], ondelete=ended)
    for table, column in _INDEXES:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    _give_skeletons()
    op.create_unique_constraint(op.f("uq_teams_challenge_id_skeleton"), "teams", ["challenge_id", "skeleton"])


def downgrade() -> None:
    """Takes it back."""
    op.drop_constraint(op.f("uq_teams_challenge_id_skeleton"), "teams")
    for table, column in _INDEXES:
        op.drop_index(op.f(f"ix_{table}_{column}"), table)
    for table, _, column, _ in _REFERENCES:
        op.drop_constraint(op.f(f"fk_{table}_{column}"), table)
    for table, column in reversed(_COLUMNS):
        op.drop_column(table, column.name)


def _give_skeletons() -> None:
    rows = op.get_bind().execute(sa.text("SELECT id, challenge_id, name FROM teams ORDER BY created_at, id"))
    seen = set()
    for id_, challenge, name in rows.all():
        looks = (challenge, skeleton(name))
        if looks not in seen:
            seen.add(looks)
            op.get_bind().execute(
                sa.text("UPDATE teams SET skeleton = :looks WHERE id = :id"), {"looks": looks[1], "id": id_}
            )
