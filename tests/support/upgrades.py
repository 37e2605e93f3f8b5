"""The version after this one, as far as the ledger sees it: a migration that this code does not know."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from core import migrations
from core.database import Database

REVISION = "9999"
MIGRATION = '''"""What the next version wants."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    {forward}


def downgrade() -> None:
    {back}
'''


@dataclass(frozen=True)
class Change:
    """What a migration does, line by line, and how it is undone."""

    forward: tuple[str, ...]
    back: tuple[str, ...]


# What any migration may do, so that processes of the version before go on.
ADDING = Change(
    (
        'op.add_column("jobs", sa.Column("mood", sa.String(20), nullable=True))',
        'op.add_column("assets", sa.Column("weight", sa.Integer(), nullable=False, server_default="0"))',
        'op.create_table("moods", sa.Column("name", sa.String(20), primary_key=True))',
        'op.create_index("ix_jobs_mood", "jobs", ["mood"])',
    ),
    (
        'op.drop_index("ix_jobs_mood", table_name="jobs")',
        'op.drop_table("moods")',
        'op.drop_column("assets", "weight")',
        'op.drop_column("jobs", "mood")',
    ),
)


def renaming(table: str, column: str) -> Change:
    """Return what takes a column from those who know it by its old name."""
    return Change(
        (f'op.alter_column("{table}", "{column}", new_column_name="{column}_now")',),
        (f'op.alter_column("{table}", "{column}_now", new_column_name="{column}")',),
    )


class NextVersion:
    """Migrates a ledger as the next version would, from a copy of the migrations with one more of them."""

    def __init__(self, database: Database, folder: Path, change: Change) -> None:
        self._database = database
        self.folder = folder / "migrations"
        shutil.copytree(migrations.FOLDER, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        written = MIGRATION.format(
            revision=REVISION,
            before=migrations.HEAD,
            forward="\n    ".join(change.forward),
            back="\n    ".join(change.back),
        )
        (self.folder / "versions" / f"{REVISION}_next.py").write_text(written)

    def migrate(self) -> None:
        """Bring the ledger to the next version's revision."""
        self._run("upgrade", "head")

    def go_back(self) -> None:
        """Bring it back to this version's."""
        self._run("downgrade", "-1")

    def _run(self, direction: str, revision: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(self.folder))
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                connection.execute(text(f"SET LOCAL lock_timeout = '{migrations.LOCK_SECONDS}s'"))
            config.attributes["connection"] = connection
            (command.upgrade if direction == "upgrade" else command.downgrade)(config, revision)
