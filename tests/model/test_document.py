"""Files that people write: what would be read wrongly, or without end, is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosday.errors import InvalidExperiment
from chaosday.model.document import LARGEST_BYTES, read_mapping

pytestmark = pytest.mark.kernel
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\ntitle: x\nseed: 2\n", "'seed' is said twice, in line 1 and in line 3"),
        ("faults:\n- fault:\n    ttl_s: 5\n    ttl_s: 900\n", "'ttl_s' is said twice, in line 3 and in line 4"),
        ('{"seed": 1,\n "seed": 2}', "'seed' is said twice, in line 1 and in line 2"),
        (BOMB, "its aliases (*) stand for more than 200,000 values"),
        ("a: &a [*a]\n", "it refers to itself"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a: " + "x" * LARGEST_BYTES, "larger than any experiment"),
        ("- 1\n", "a mapping of fields; this is list"),
        ("", "a mapping of fields; this is NoneType"),
        ("a: [1", "not YAML"),
        ("a: 2024-99-99\n", "not YAML"),
        ("[" * 400_000, "nested too deeply"),
        ("a: 1" + ":59" * 50_000, "a number of 150,001 characters"),
        ("a: " + "1:" * 60_000 + "1.5", "a number of 120,003 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """The file, and where in it."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InvalidExperiment) as caught:
        read_mapping(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_meant_is_read(tmp_path: Path) -> None:
    """Anchors, merge keys, the same key in two mappings, and words that YAML 1.1 took for truth values."""
    path = tmp_path / "x.yaml"
    path.write_text("base: &b {on: read, n: 1}\nmore: {<<: *b, n: 2}\nlist: [*b, *b]\n")
    base = {"on": "read", "n": 1}
    assert read_mapping(path) == {"base": base, "more": {"on": "read", "n": 2}, "list": [base, base]}
