"""An ordinary Prefect flow: its task inserts a day's orders, and Prefect tries it again where it raises."""

import os

import psycopg
from prefect import flow, task

ONCE = " on conflict do nothing" if os.environ.get("KEYED") else ""


@task(retries=2)
def load(day: str) -> None:
    with psycopg.connect() as shop:
        for number in (1, 2):
            shop.execute("insert into orders (key, amount) values (%s, %s)" + ONCE, (f"{day}-{number}", 10 * number))


@flow
def nightly(day: str) -> None:
    load(day)


if __name__ == "__main__":
    nightly(os.environ["DAY"])
