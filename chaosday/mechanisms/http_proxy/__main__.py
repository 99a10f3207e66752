"""``python -m chaosday.mechanisms.http_proxy CONTROL_SOCKET [--lifeline]``: the proxy's process."""

from __future__ import annotations

import sys
from pathlib import Path

from chaosday.mechanisms.http_proxy.server import serve

if __name__ == "__main__":
    serve(Path(sys.argv[1]), lifeline="--lifeline" in sys.argv[2:])
