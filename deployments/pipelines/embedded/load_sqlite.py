"""An ordinary pandas job that loads a day's orders into a SQLite file: appended, or in place of those of that day."""

import os
import sqlite3
from contextlib import closing

import pandas

DAY = os.environ["DAY"]
frame = pandas.DataFrame({"day": [DAY] * 3, "number": [1, 2, 3], "amount": [10, 20, 30]})
with closing(sqlite3.connect("shop.db", isolation_level=None)) as shop:
    if os.environ.get("IN_PLACE"):
        shop.execute("begin immediate")
        shop.execute("delete from orders where day = ?", (DAY,))
        shop.executemany("insert into orders values (?, ?, ?)", frame.itertuples(index=False, name=None))
        shop.execute("commit")
    else:
        frame.to_sql("orders", shop, if_exists="append", index=False)
