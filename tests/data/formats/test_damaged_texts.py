"""Histories cut, doubled and filled with what does not belong there: an answer or one line, never a crash."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from chaosday.commands.check import judged, models
from chaosday.data import formats
from chaosday.errors import ChaosdayError, MalformedHistory
from tests.checkers.test_golden import GOLDEN, history
from tests.data.formats.test_formats import SAMPLES

pytestmark = pytest.mark.kernel

ODD = (
    "nil", "null", "1.0", "true", '"1"', "[1 2]", "{:a 1}", "#{1}", "[1,2]", '{"a":1}', "1e999", "-0.0", "9" * 23,
    "9" * 5000, "\\ud800", '"\\ud800"', "\x00", "##NaN", "[" * 120, "[" * 3000, '{"a":' * 400, "-1",
    '""', ":nemesis", ":key 1", '"independent":true,', "1.5M", '#inst "2020"', "#jepsen.independent/tuple [1 2]", "\\",
    "^", "#_", '"append"', '[["r",1,null]]', '[["r",1,[1]]]', '[["append",1,[1]]]', '[["w",{"a":1},1]]', ":info",
    "\u00b2", "\U0001f600", "18446744073709551615",
)  # fmt: skip


def texts() -> dict[str, str]:
    """A text of every notation, and the golden twins of every model in three of them."""
    found = dict(SAMPLES)
    for model, (good, bad, _) in GOLDEN.items():
        for name in ("edn", "jepsen-json", "jsonl"):
            found |= {f"{model} {name} {text}": formats.WRITERS[name](history(text)) for text in (good, bad)}
    return found


def damaged(text: str, rng: random.Random) -> str:
    """One to three cuts, repetitions, or pieces that do not belong there."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        low = rng.randrange(len(text) + 1)
        high = min(len(text), low + rng.choice((0, 1, 5, 20)))
        words = list(re.finditer(r'-?\d+|nil|null|"[^"]*"', text))
        if words and rng.random() < 0.5:
            low, high = rng.choice(words).span()
        piece = rng.choice(("", text[low : low + 80] * 2, rng.choice(ODD), rng.choice(ODD)))
        text = text[:low] + piece + text[high:] if rng.random() < 0.9 else text[:low]
    return text


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_text_is_judged_or_refused_in_one_line(tmp_path: Path, seed: int) -> None:
    """Whatever was done to a history, each model answers, or one line says what is wrong with it."""
    rng, known, names = random.Random(seed), texts(), list(models())
    for _ in range(100):
        name = rng.choice(list(known))
        text = damaged(known[name], rng)
        path = tmp_path / "damaged"
        path.write_bytes(text.encode(errors="surrogatepass"))
        model = name.split()[0] if " " in name and rng.random() < 0.6 else rng.choice(names)
        try:
            result, _ = judged(path, model, None, {}, independent=rng.random() < 0.1)
        except ChaosdayError as error:
            assert "\n" not in str(error), text
        else:
            assert result["valid?"] in (True, False, "unknown")


@pytest.mark.parametrize("name", formats.FORMATS)
@pytest.mark.parametrize(
    "data", [b"\x00" * 64, b"\xff\xfe[\x00]\x00", b"PAR1" + b"\x00" * 64, b"[" * 10_000, b'{"history":' * 2000]
)
def test_bytes_that_are_no_history_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    """Zeros, other encodings, a Parquet file's first bytes, and depth without an end are errors of the file."""
    (tmp_path / "noise").write_bytes(data)
    with pytest.raises(MalformedHistory, match=r"^[^\n]+$"):
        formats.read(tmp_path / "noise", name)
