"""Assets of a campaign that ended long ago may be deleted; their rows stay and say so."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("assets_deleted_at", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("campaigns", "assets_deleted_at")
