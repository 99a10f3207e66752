"""An ordinary loader: the day's orders into a table, one insert after the other; docs/pipelines says what is wrong."""

import os

import psycopg

DAY = os.environ.get("DAY", "monday")
ORDERS = [(DAY, number, number * 10) for number in range(1, 4)]

with psycopg.connect(autocommit=True) as connection:
    connection.execute("create table if not exists orders (day text, number int, amount int)")
    for order in ORDERS:
        connection.execute("insert into orders values (%s, %s, %s)", order)
