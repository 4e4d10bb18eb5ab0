"""Makes the hub's tables and brings older ones up to date; safe to call from every process at every start.

`segments` and `office` hold what nobody could make again: they go forward by Alembic scripts in `versions/GROUP`, one
transaction for all that are missing, and an empty database is made whole at once and marked with the newest script.
That both ways lead to the same tables is held by a test.  `books` is derived: other tables than these are dropped and
made anew, and the projector fills them from the segments.

Where several processes come at once, the first does the work and the others wait for it: SQLite's one writer, or an
advisory lock of PostgreSQL.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from kiosk.errors import StoreError
from kiosk.hub.store.stores import GROUPS, Stores

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

VERSIONS = Path(__file__).with_name("versions")
#: Groups that go forward by scripts, and the newest script of each: what a database is held against without Alembic.
NEWEST = {"segments": "0001", "office": "0001"}
#: Key of the advisory lock, any number that nobody else takes.
_LOCK = 0x6B696F736B


def prepare(stores: Stores) -> None:
    """Make what is missing and bring older tables up to date.

    Raises:
        StoreError: the database belongs to a newer version of this software, or to something else.
    """
    for group in GROUPS:
        try:
            with stores.engine(group).begin() as connection:
                if stores.postgresql:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                _prepare(connection, group)
        except sa.exc.OperationalError as error:
            raise StoreError(
                f"the hub's database ({group}) cannot be used: {str(error.orig)[:200]}",
                hint="check disk, server and owner of the state directory", transient=True,
            ) from error  # fmt: skip


def version_table(group: str) -> sa.Table:
    """Return the table of one row that names the newest script a group has seen."""
    return sa.Table(
        f"alembic_version_{group}", sa.MetaData(),
        sa.Column("version_num", sa.String(32), primary_key=True),
    )  # fmt: skip


def wanted(group: str, connection: sa.Connection) -> str:
    """Return what the version row of an up-to-date group says: its newest script, or the digest of derived tables."""
    if group in NEWEST:
        return NEWEST[group]
    made: list[Any] = []
    for table in GROUPS[group].sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made += [CreateTable(table), *(CreateIndex(index) for index in indexes)]
    told = "".join(str(each.compile(dialect=connection.dialect)) for each in made)
    return sha256(told.encode()).hexdigest()[:16]


def _prepare(connection: sa.Connection, group: str) -> None:
    there = _version(connection, group)
    newest = wanted(group, connection)
    if there == newest:
        return
    if there is None:
        _refuse_strangers(connection, group)
        _make(connection, group, newest)
    elif group not in NEWEST:
        for table in reversed(GROUPS[group].sorted_tables):
            table.drop(connection, checkfirst=True)
        version_table(group).drop(connection)
        _make(connection, group, newest)
    else:
        upgrade(connection, group)


def _version(connection: sa.Connection, group: str) -> str | None:
    table = version_table(group)
    if not sa.inspect(connection).has_table(table.name):
        return None
    return connection.execute(sa.select(table.c.version_num)).scalar()


def _refuse_strangers(connection: sa.Connection, group: str) -> None:
    known = set(sa.inspect(connection).get_table_names())
    foreign = sorted(known & set(GROUPS[group].tables))
    if foreign:
        raise StoreError(
            f"the database has a table {foreign[0]!r} that no version of this software made",
            hint="give the hub a database of its own",
        )


def _make(connection: sa.Connection, group: str, newest: str) -> None:
    GROUPS[group].create_all(connection, checkfirst=False)
    table = version_table(group)
    table.create(connection)
    connection.execute(table.insert().values(version_num=newest))


def scripts(group: str) -> ScriptDirectory:
    """Return the migration scripts of a group."""
    from alembic.script import ScriptDirectory  # slow to import, and hardly ever needed

    return ScriptDirectory(str(VERSIONS), version_locations=[str(VERSIONS / group)])


def upgrade(connection: sa.Connection, group: str) -> None:
    """Run the scripts that a group has not seen, within the running transaction.

    Raises:
        StoreError: the group was made by a newer version of this software.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.util import CommandError

    directory = scripts(group)

    def missing(revision: Any, _: Any) -> Any:
        return directory._upgrade_revs("head", revision)  # what Alembic's own command calls; it has no public name

    context = MigrationContext.configure(
        connection, opts={"fn": missing, "version_table": version_table(group).name, "transactional_ddl": True}
    )
    try:
        with Operations.context(context):
            context.run_migrations()
    except CommandError as error:
        raise StoreError(
            f"the hub's tables ({group}) are of version {_version(connection, group)}, newer than this software",
            hint="install the software version that last ran this hub, or a later one",
        ) from error
