"""What programs of ours import, and when."""

from __future__ import annotations

import subprocess
import sys

import pytest

ARRAYS = (
    "import pyarrow as pa\npa.table({'a': pa.array([1, None]), 'b': ['x', 'y']})\nassert 'pandas' not in sys.modules\n"
)
LATER = {
    "a series": "import pandas as pd\nassert pa.array(pd.Series([1.5, None])).null_count == 1",
    "a frame": "import pandas as pd\nassert pa.Table.from_pandas(pd.DataFrame({'a': [1]})).num_rows == 1",
    "to a frame": "assert list(pa.table({'a': [1, 2]}).to_pandas()['a']) == [1, 2]",
    "categories": "import pandas as pd\nassert pa.types.is_dictionary(pa.array(pd.Categorical(['a', 'b'])).type)",
}


@pytest.mark.kernel
@pytest.mark.parametrize("program", LATER.values(), ids=LATER)
def test_pandas_is_imported_when_it_is_wanted_and_pyarrow_knows_it_then(program: str) -> None:
    """Arrays are made without pandas, and what is pandas' is taken for it once somebody has some."""
    begin = "import sys\nfrom chaosday.processes.imports import pandas_when_wanted\npandas_when_wanted()\n"
    done = subprocess.run([sys.executable, "-c", begin + ARRAYS + program], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.kernel
def test_where_pandas_is_there_already_nothing_is_hidden() -> None:
    """A program that has pandas before it asks keeps it, and pyarrow knows it."""
    program = (
        "import sys, pandas as pd\nfrom chaosday.processes.imports import pandas_when_wanted\npandas_when_wanted()\n"
        "import pyarrow as pa\nassert pa.array(pd.Series([1.5, None])).null_count == 1\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
