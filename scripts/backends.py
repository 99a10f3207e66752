"""``python -m scripts.backends``: writes docs/backends.md, what each fault on somebody else's API was tried against."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cloud import backends
from chaosday.registry import members

FAMILIES = ("cloud.", "kubernetes.", "application.")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "backends.md"
HEAD = """# What was tried against what

Faults on APIs are only as proven as the system that stood behind the API in the tests. This table is made from the
registry by `python -m scripts.backends`.

* **moto** speaks AWS' APIs and keeps nothing: it shows that the right calls are made, undone and found again by their
  tags, and never that data is safe. Nothing here was tried against AWS itself.
* **SeaweedFS** is a real object store: versions, conditional writes, refused checksums.
* **Kubernetes 1.20** is a real API server, controller manager, scheduler, kubelet and containerd of one node, whose
  network stores policies and does not enforce them (`kubernetes.network_partition` has to come out as no bite there).

| fault | tried against |
|---|---|
"""


def page() -> str:
    """The whole page."""
    kinds = {kind for kind in members("faults") if kind.startswith(FAMILIES)}
    return HEAD + "".join(f"| `{kind}` | {', '.join(tried)} |\n" for kind, tried in backends(kinds).items())


if __name__ == "__main__":
    PAGE.write_text(page())
