"""Writes a migration script: ``python -m tests.hub.write_migration GROUP NUMBER NAME``.

The difference between what the scripts make so far and the tables as they are declared becomes the next script; a
person reads and completes it (data are never moved by what this writes).
"""

from __future__ import annotations

import subprocess
import sys

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from kiosk.hub.store.migrating import VERSIONS, upgrade, version_table
from kiosk.hub.store.stores import GROUPS

HEAD = '''"""{title}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {before}


def upgrade() -> None:
    """Bring the tables of {group} forward."""
'''


def difference(connection: sa.Connection, group: str) -> str:
    """Return the operations that lead from the tables that are there to the declared ones, as Python."""

    def own(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or name in GROUPS[group].tables

    context = MigrationContext.configure(
        connection, opts={"include_name": own, "version_table": version_table(group).name}
    )
    made = produce_migrations(context, GROUPS[group])
    assert made.upgrade_ops is not None
    return render_python_code(made.upgrade_ops)


def main() -> None:
    group, number, name = sys.argv[1:]
    target = VERSIONS / group / f"{number}_{name}.py"
    target.unlink(missing_ok=True)
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        before = f'"{int(number) - 1:04d}"' if int(number) > 1 else None
        if before:
            upgrade(connection, group)
        body = difference(connection, group)
    title = f"{name.replace('_', ' ').capitalize()}."
    text = HEAD.format(title=title, number=number, before=before, group=group) + f"    {body}\n"
    target.write_text("".join(line for line in text.splitlines(keepends=True) if "# ### " not in line))
    subprocess.run(["ruff", "format", "-q", str(target)], check=True)


if __name__ == "__main__":
    main()
