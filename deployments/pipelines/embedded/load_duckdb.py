"""An ordinary job that loads a day's orders into a DuckDB file: taken out and put in, with or without a transaction."""

import os

import duckdb
import pandas

DAY = os.environ["DAY"]
frame = pandas.DataFrame({"day": [DAY] * 3, "number": [1, 2, 3], "amount": [10, 20, 30]})
with duckdb.connect("shop.duckdb") as shop:
    if os.environ.get("TOGETHER"):
        shop.execute("begin")
    # Only what is new: the loads say which days are there.
    if not shop.execute("select 1 from loads where day = ?", [DAY]).fetchall():
        shop.execute("insert into loads values (?)", [DAY])
        shop.execute("insert into orders select * from frame")
    if os.environ.get("TOGETHER"):
        shop.execute("commit")
