"""An ordinary pandas job that keeps its output in files: CSV or Parquet, written where it is read, or aside."""

import os
import uuid
from pathlib import Path

import pandas

DAY, FORMAT, SOUND = os.environ["DAY"], os.environ["FORMAT"], bool(os.environ.get("ASIDE"))
OUT = Path("out")
frame = pandas.DataFrame({"number": [f"{DAY}-{n}" for n in range(3)], "amount": [10, 20, 30]})
OUT.mkdir(exist_ok=True)
if SOUND:
    # One file a day, whoever writes it; aside, until it is whole.
    new = OUT / f"{DAY}.new"
    frame.to_csv(new, index=False) if FORMAT == "csv" else frame.to_parquet(new)
    os.replace(new, OUT / f"{DAY}.{FORMAT}")
elif FORMAT == "csv":
    orders = OUT / "orders.csv"
    frame.to_csv(orders, mode="a", header=not orders.exists(), index=False)
else:
    frame.to_parquet(OUT / f"part-{uuid.uuid4()}.parquet")
