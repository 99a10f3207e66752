"""The server of reports shows what is in its two folders, and nothing beside them."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.evidence_server import server


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server over folders with things to see and things not to."""
    for folder in ("runs/one", "runs/.hidden", "docs"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("runs/one/report.html", "runs/.hidden/report.html", "runs/one/.secret.html", "runs/one/key.pem"):
        (tmp_path / file).write_text("<p>there</p>")
    (tmp_path / "outside.html").write_text("<p>outside</p>")
    (tmp_path / "docs" / "link.html").symlink_to(tmp_path / "outside.html")
    serving = server("127.0.0.1", 0, {"runs": tmp_path / "runs", "docs": tmp_path / "docs"})
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}"
    serving.shutdown()
    serving.server_close()


def test_a_report_is_shown(address: str) -> None:
    """With its type, and with a policy under which it can load nothing from elsewhere."""
    with urllib.request.urlopen(f"{address}/runs/one/report.html") as answer:
        assert answer.read() == b"<p>there</p>"
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    with urllib.request.urlopen(urllib.request.Request(f"{address}/runs/one/report.html", method="HEAD")) as answer:
        assert (answer.read(), answer.headers["Content-Length"]) == (b"", "12")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "runs",
        "runs/",
        "runs/one",
        "runs/one/absent.html",
        "runs/../outside.html",
        "runs/%2e%2e/outside.html",
        "runs//etc/passwd",
        "runs/.hidden/report.html",
        "runs/one/.secret.html",
        "runs/one/key.pem",
        "docs/link.html",
        "etc/passwd",
    ],
)
def test_nothing_else_is(address: str, path: str) -> None:
    """No listing, no way out by dots or links, nothing hidden, no type that is not a report's."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/{path}")
    assert refused.value.code == 404
    refused.value.close()
