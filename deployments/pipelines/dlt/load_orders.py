"""An ordinary dlt pipeline: the orders of a day, appended, or merged by their number."""

import os

import dlt


@dlt.resource(name="orders", write_disposition=os.environ["DISPOSITION"], primary_key="number")
def orders():
    """What the shop's API would have given."""
    for number in range(1, 4):
        yield {"number": f"{os.environ['DAY']}-{number}", "amount": number * 10}


address = "postgresql://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(**os.environ)
pipeline = dlt.pipeline("shop", destination=dlt.destinations.postgres(address), dataset_name="mart")
pipeline.run(orders())
