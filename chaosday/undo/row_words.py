"""What keeping and damaging rows needs to know of a database, as data: its words, and questions to its catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from chaosday.errors import CapabilityMissing, Refused, UsageError
from chaosday.model.sql import SqlConnection

SCRATCH = "chaosday-scratch"


@dataclass(frozen=True)
class RowWords:
    """Words of one dialect. Questions to the catalogue take the table's name, and its database where there is one."""

    text: str
    """A value as text, compared byte by byte: padding and case are damage, too."""
    same: str
    joined: str
    length: str
    held: str
    """Makes a select hold its rows until the transaction ends."""
    session: tuple[str, ...]
    kinds: str
    """Asks for the table's kind; ``plain`` is the one whose rows can be put back."""
    plain: str
    mark: str
    """Asks for the words that may hold the scratch mark; ``how`` says how it is made."""
    how: str
    columns: str
    """Asks for columns: name, whether it is generated, whether it changes by itself, whether it prints fewer digits
    than it holds."""
    unique: str
    """Asks for unique indexes: name, and each column; NULL for what is an expression or a condition."""
    effects: str
    """Asks for what else a change does, in words."""
    text_type: str
    sought: str
    """The column ``k`` of such text, as an index takes it."""
    alone: tuple[str, str]
    """Keep others out of ``{table}``, and let them in again."""


MARIADB = RowWords(
    text="cast(convert({} using utf8mb4) as binary)",
    same="{} <=> {}",
    joined="concat({}, {})",
    length="char_length",
    held=" for update",
    session=("set session sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",),
    kinds="select concat(table_type, ' ', engine) from information_schema.tables "
    "where table_schema = coalesce(%s, database()) and table_name = %s",
    plain="BASE TABLE InnoDB",
    mark="select table_comment from information_schema.tables "
    "where table_schema = coalesce(%s, database()) and table_name = %s",
    how=f"alter table {{table}} comment = '{SCRATCH}'",
    columns="select column_name, extra regexp '(VIRTUAL|STORED) GENERATED', extra like '%%on update%%', "
    "data_type = 'float' from information_schema.columns "
    "where table_schema = coalesce(%s, database()) and table_name = %s "
    "order by ordinal_position",
    unique="select index_name, column_name from information_schema.statistics "
    "where table_schema = coalesce(%s, database()) and table_name = %s and non_unique = 0",
    effects="select concat('trigger ', trigger_name) from information_schema.triggers "
    "where event_object_schema = coalesce(%s, database()) and event_object_table = %s union all "
    "select concat('foreign key ', constraint_name, ' of ', table_name, ' carries it on') "
    "from information_schema.referential_constraints where unique_constraint_schema = coalesce(%s, database()) "
    "and referenced_table_name = %s and not (delete_rule in ('RESTRICT', 'NO ACTION') "
    "and update_rule in ('RESTRICT', 'NO ACTION'))",
    text_type="longblob",
    sought="k(64)",
    alone=("lock tables {table} write", "unlock tables"),
)
SQLITE = RowWords(
    # A cast still compares as the column does: without case, or without spaces at the end.
    text="cast({} as text) collate binary",
    same="{} is {}",
    joined="{} || {}",
    length="length",
    held="",
    session=(),
    kinds="select type || case when sql like 'create virtual%' then ' virtual' else '' end from sqlite_master "
    "where ? is null and name = ?",
    plain="table",
    mark="select name from chaosday_scratch where ? is null and name = ?",
    how="create table if not exists chaosday_scratch (name text); insert into chaosday_scratch values ('{table}')",
    columns="select name, hidden in (2, 3), 0, 0 from (select ? as place), pragma_table_xinfo(?) "
    "where place is null and hidden <> 1 order by cid",
    unique="select i.name, case when i.partial then null else c.name end from (select ? as place), "
    "pragma_index_list(?) i, pragma_index_info(i.name) c where place is null and i.[unique] union all "
    "select 'primary key', name from (select ? as place), pragma_table_xinfo(?) where place is null and pk > 0",
    # Names of tables have no case, and a trigger keeps the one it was made with.
    effects="select 'trigger ' || name from sqlite_master where ? is null and type = 'trigger' "
    "and lower(tbl_name) = lower(?) union all select 'on conflict in ' || name from sqlite_master where ? is null "
    "and type = 'table' and lower(name) = lower(?) and replace(replace(replace(replace(replace("
    "lower(sql), char(9), ' '), char(10), ' '), char(13), ' '), '  ', ' '), '  ', ' ') like '%on conflict%'",
    text_type="text",
    sought="k",
    alone=("begin immediate", "commit"),
)
WORDS = {"MariaDB": MARIADB, "SQLite": SQLITE}


def words_of(connection: SqlConnection) -> RowWords:
    """The words of a connection's database; ``CapabilityMissing`` where rows of it cannot be kept."""
    name = connection.dialect.name
    if name not in WORDS:
        raise CapabilityMissing(f"rows of {name} cannot be kept and put back: damage rows of {', '.join(WORDS)}")
    return WORDS[name]


@dataclass(frozen=True)
class Table:
    """A table of somebody's that can be hurt and put back: its name, quoted, and the columns that may be written."""

    name: str
    quoted: str
    columns: tuple[str, ...]
    generated: tuple[str, ...]
    rounded: tuple[str, ...] = ()
    """Columns that print fewer digits than they hold."""


def table_of(connection: SqlConnection, name: str) -> Table:
    """The table of that name; ``UsageError`` where there is none, ``Refused`` where its rows could not be put back."""
    words, place = words_of(connection), _place(name)
    found = connection.execute(words.kinds, place).fetchone()
    if found is None:
        raise UsageError(f"there is no table {name}")
    if found[0] != words.plain:
        raise Refused(f"{name} is {found[0]}: rows are put back in {words.plain} only")
    columns = connection.execute(words.columns, place).fetchall()
    if moving := [str(row[0]) for row in columns if row[2]]:
        raise Refused(f"column {moving[0]} of {name} changes by itself with every update: choose another table")
    return Table(
        name,
        connection.dialect.named(*name.split(".")),
        tuple(str(row[0]) for row in columns if not row[1]),
        tuple(str(row[0]) for row in columns if row[1]),
        tuple(str(row[0]) for row in columns if row[3]),
    )


def is_scratch(connection: SqlConnection, name: str) -> bool:
    """Whether the table carries the mark."""
    words = words_of(connection)
    try:
        found = connection.execute(words.mark, _place(name)).fetchone()
    except connection.dialect.errors as error:
        if connection.dialect.absent(error):
            return False
        raise
    return found is not None and (SCRATCH in str(found[0]) or str(found[0]) == name)


def exact(connection: SqlConnection, table: Table, column: str, place: str = "") -> str:
    """The column as an expression that is printed with every digit it holds; ``place`` is the table's alias."""
    named = f"{place}.{connection.dialect.named(column)}" if place else connection.dialect.named(column)
    return f"({named} + 0e0)" if column in table.rounded else named


def unique_with(connection: SqlConnection, table: Table, column: str) -> list[str]:
    """The unique indexes that a change of ``column`` may run into, in words: also by way of an expression or of a
    generated column, of which it is not asked what they are made of."""
    words, place = words_of(connection), _place(table.name)
    asked = place * (words.unique.count(connection.dialect.mark) // len(place))
    touched = {column, None, *table.generated}
    found = [name for name, indexed in connection.execute(words.unique, asked).fetchall() if indexed in touched]
    return [f"a unique index, {name}, may have its value taken by another row" for name in dict.fromkeys(found)]


def effects_of(connection: SqlConnection, name: str) -> list[str]:
    """What a change to the table does beyond it, in words."""
    words, place = words_of(connection), _place(name)
    asked = place * (words.effects.count(connection.dialect.mark) // len(place))
    return [str(row[0]) for row in connection.execute(words.effects, asked).fetchall()]


def _place(name: str) -> tuple[str | None, str]:
    schema, _, table = name.rpartition(".")
    return schema or None, table
