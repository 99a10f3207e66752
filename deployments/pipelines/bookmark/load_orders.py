"""An ordinary loader with a bookmark: how far it came is in a file, beside the database."""

import os
from pathlib import Path

import psycopg

BOOKMARK, NEW = Path("state/bookmark"), Path("state/new")
IN_PLACE = os.environ["BOOKMARK"] == "in place"

since = int(BOOKMARK.read_text()) if BOOKMARK.exists() else 0
BOOKMARK.parent.mkdir(exist_ok=True)
with psycopg.connect(autocommit=True) as connection:
    connection.execute(
        "insert into orders select number, amount from arrived where number > %s on conflict do nothing", (since,)
    )
    (last,) = connection.execute("select max(number) from orders").fetchone()
if IN_PLACE:
    BOOKMARK.write_text(str(last))
else:
    NEW.write_text(str(last))
    os.replace(NEW, BOOKMARK)
