"""The tables come into being once, go forward by scripts, and are never touched by an older version."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from kiosk.errors import StoreError
from kiosk.hub.store import migrating, tables
from kiosk.hub.store.migrating import NEWEST, prepare, scripts, upgrade, version_table
from kiosk.hub.store.stores import GROUPS, Stores, open_stores
from tests.hub.write_migration import difference


def _shape(engine: sa.Engine, group: str) -> dict[str, object]:
    """Everything that a database says about the tables of a group."""
    looker = sa.inspect(engine)
    return {
        name: (
            [{**column, "type": str(column["type"])} for column in looker.get_columns(name)],
            looker.get_pk_constraint(name), looker.get_indexes(name), looker.get_foreign_keys(name),
        )
        for name in GROUPS[group].tables
    }  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    address = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    made = open_stores(tmp_path / "scripts", address)
    yield made
    made.close()


def test_the_scripts_lead_to_the_same_tables_as_the_declarations(both_stores: Stores, tmp_path: Path) -> None:
    whole = {group: _shape(both_stores.engine(group), group) for group in NEWEST}
    if both_stores.postgresql:
        with both_stores.office.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        scripted = both_stores
    else:
        scripted = open_stores(tmp_path / "scripts")
    for group in NEWEST:
        with scripted.engine(group).begin() as connection:
            upgrade(connection, group)
        with scripted.engine(group).connect() as connection:
            left = difference(connection, group)
        hint = f"write a script: python -m tests.hub.write_migration {group} NUMBER NAME"
        assert "op." not in left, f"{hint}\n{left}"
        assert _shape(scripted.engine(group), group) == whole[group], hint
    prepare(scripted)
    scripted.close()


def test_the_newest_script_is_the_one_that_a_new_database_is_marked_with() -> None:
    assert {group: scripts(group).get_current_head() for group in NEWEST} == NEWEST


def test_preparing_again_changes_nothing(stores: Stores) -> None:
    with stores.office.begin() as connection:
        connection.execute(tables.revision.insert().values(subject="registry", number=7))
    prepare(stores)
    with stores.office.connect() as connection:
        assert connection.execute(sa.select(tables.revision.c.number)).scalars().all() == [7]


def test_a_database_of_a_newer_version_is_refused(stores: Stores) -> None:
    with stores.office.begin() as connection:
        connection.execute(version_table("office").update().values(version_num="9999"))
    with pytest.raises(StoreError, match="newer than this software"):
        prepare(stores)


def test_a_database_of_somebody_else_is_refused(empty: Stores) -> None:
    with empty.segments.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mark (anything INTEGER)")
    with pytest.raises(StoreError, match="'mark' that no version"):
        prepare(empty)


def test_an_older_database_keeps_its_rows_on_the_way_forward(
    both_stores: Stores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    newer = tmp_path / "versions" / "office"
    newer.mkdir(parents=True)
    for script in (migrating.VERSIONS / "office").glob("*.py"):
        (newer / script.name).write_text(script.read_text())
    (newer / "0002_example.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\nrevision = '0002'\ndown_revision = '0001'\n"
        "def upgrade():\n    op.add_column('revision', sa.Column('told', sa.Text, server_default='x'))\n"
    )
    with both_stores.office.begin() as connection:
        connection.execute(tables.revision.insert().values(subject="registry", number=7))
    monkeypatch.setattr(migrating, "VERSIONS", tmp_path / "versions")
    monkeypatch.setitem(migrating.NEWEST, "office", "0002")
    prepare(both_stores)
    prepare(both_stores)
    with both_stores.office.connect() as connection:
        assert connection.exec_driver_sql("SELECT number, told FROM revision").all() == [(7, "x")]


def test_books_of_another_shape_are_made_anew(both_stores: Stores) -> None:
    with both_stores.books.begin() as connection:
        connection.execute(tables.state.insert().values(name="place", value="4"))
        connection.execute(version_table("books").update().values(version_num="older"))
    prepare(both_stores)
    with both_stores.books.connect() as connection:
        assert connection.execute(sa.select(tables.state)).all() == []


def _prepare_there(state: Path, address: str) -> None:
    stores = open_stores(state, address)
    prepare(stores)
    stores.close()


def test_several_processes_may_come_at_once(empty: Stores, tmp_path: Path) -> None:
    address = empty.office.url.render_as_string(hide_password=False) if empty.postgresql else ""
    spawn = multiprocessing.get_context("fork")
    started = [spawn.Process(target=_prepare_there, args=(tmp_path / "scripts", address)) for _ in range(4)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0] * 4
    with empty.office.connect() as connection:
        assert connection.execute(sa.select(version_table("office").c.version_num)).scalars().all() == ["0001"]
