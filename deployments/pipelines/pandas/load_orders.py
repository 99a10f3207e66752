"""An ordinary pandas job: the orders of a day, appended to a table."""

import os

import pandas
import sqlalchemy
from sqlalchemy.dialects.postgresql import insert

DAY = os.environ["DAY"]
address = sqlalchemy.URL.create("postgresql+psycopg", os.environ["PGUSER"], os.environ["PGPASSWORD"],
                                os.environ["PGHOST"], int(os.environ["PGPORT"]), os.environ["PGDATABASE"])  # fmt: skip


def once(table, connection, columns, rows):
    """What is there already by its key is left as it is."""
    words = insert(table.table).on_conflict_do_nothing()
    return connection.execute(words, [dict(zip(columns, row)) for row in rows]).rowcount


orders = pandas.DataFrame({"number": [f"{DAY}-{n}" for n in range(1, 4)], "amount": [10, 20, 30]})
engine = sqlalchemy.create_engine(address)
orders.to_sql("orders", engine, index=False, if_exists="append", method=once if os.environ.get("KEYED") else None)
