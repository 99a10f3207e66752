"""The labels by which everything of ours in a cluster is known."""

from __future__ import annotations

LEASE = "chaosday.dev/lease"
RUN = "chaosday.dev/run"
UNDO = "chaosday.dev/undo"
MAC = "chaosday.dev/mac"
FAULT = "chaosday.dev/fault"
HEALED = "chaosday.dev/healed"


def marks(lease_id: str, run: str) -> dict[str, str]:
    """The labels of an object made under a lease."""
    return {LEASE: lease_id, RUN: word(run), "app.kubernetes.io/managed-by": "chaosday"}


def word(text: str) -> str:
    """A text as a label's value: 63 letters, digits, dashes, dots, the outermost alphanumeric."""
    kept = "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in text)[:63]
    return kept.strip("-._")
