"""Flags are drawn and sealed before the start, and opened after the end.

What is published before the start is a commitment to each flag: the SHA-256 of a random salt and the flag's JSON. It
tells nobody what the flag is, and nobody can change the flag afterwards. Salts, flags and seed lie in a file that only
the account of the game may read; they are revealed at the end, and anybody can hash them again.
"""

from __future__ import annotations

import hashlib
import os
import random
import secrets
from pathlib import Path
from typing import Any

import orjson

from chaosday.drills.gameday.day import CaptureTheFlag, FlagOption
from chaosday.errors import EvidenceMissing
from chaosday.model.base import Model

SALT_BYTES = 32
SECRET_BITS = 128


class SealedFlag(Model):
    """A drawn flag with its salt and how long it is quiet before it: secret until the end."""

    number: int
    salt: str
    name: str
    where: str
    quiet_s: float
    fault: dict[str, Any]

    def content(self) -> bytes:
        """What is committed to: its canonical JSON without the salt."""
        return orjson.dumps(self.model_dump(mode="json", exclude={"salt"}), option=orjson.OPT_SORT_KEYS)

    def commitment(self) -> str:
        """SHA-256 of the salt (its bytes, from hex) and the content, in hex."""
        return hashlib.sha256(bytes.fromhex(self.salt) + self.content()).hexdigest()


class Sealed(Model):
    """What is secret until the end."""

    seed: str
    """In decimal, because it may be larger than JSON's numbers are exact."""
    flags: list[SealedFlag]

    def commitments(self) -> list[str]:
        """In the order in which the flags are hidden."""
        return [flag.commitment() for flag in self.flags]


def secret_seed() -> int:
    """A seed that nobody can guess."""
    return secrets.randbits(SECRET_BITS)


def draw(flags: CaptureTheFlag, seed: int) -> Sealed:
    """Draw the flags and their order: the same for the same seed. The salts never are."""
    dice = random.Random(f"chaosday flags {seed}")
    chosen: list[FlagOption] = dice.sample(flags.options, flags.draw or len(flags.options))
    return Sealed(
        seed=str(seed),
        flags=[
            SealedFlag(
                number=number,
                salt=secrets.token_hex(SALT_BYTES),
                name=option.name,
                where=option.where,
                quiet_s=round(dice.uniform(flags.gap_min_s, flags.gap_max_s), 3),
                fault=option.fault.model_dump(mode="json"),
            )
            for number, option in enumerate(chosen, start=1)
        ],
    )


def keep(path: Path, sealed: Sealed) -> None:
    """Write the secret where only our own account reads it; durable before it returns."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(sealed.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())


def opened(path: Path) -> Sealed:
    """Read what ``keep`` wrote."""
    try:
        return Sealed.model_validate_json(path.read_bytes())
    except OSError as error:
        raise EvidenceMissing(f"the sealed flags at {path} cannot be read: {error.strerror}") from None


def broken(commitments: list[str], sealed: Sealed) -> list[int]:
    """The numbers of flags that are not what was committed to, counting those of which one side has none."""
    now = sealed.commitments()
    longest = max(len(now), len(commitments))
    return [n + 1 for n in range(longest) if now[n : n + 1] != commitments[n : n + 1]]
