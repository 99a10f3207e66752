"""Files whose bytes are not those that were written."""

from __future__ import annotations

import json
import random
from shlex import quote
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, Refused, ScratchMarkMissing, UsageError
from chaosday.mechanisms.disks.cover import source
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.scratch import SCRATCH
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import ask
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.model.words import ABSOLUTE

BLOCK_BYTES = 4096
Damage = Literal["flip", "zero", "truncate", "delete", "swap"]


class DataFiles(ScriptFault):
    """Damages files at rest below a directory that is marked as scratch, and puts them back.

    The mark is a file ``.chaosday-scratch`` in the directory. A file as it was is kept where only root comes in
    (/var/lib/chaosday/kept), complete, before its first byte is touched; the undo puts back what was kept, with its
    times, its mode and its owner. Files with more than one name are not taken: the other may be somebody else's.
    """

    kind: Literal["data.files"] = "data.files"
    path: str = Field(default="/srv/data", pattern=ABSOLUTE, description="A directory")
    match: str = Field(default="*", min_length=1, description="Shell pattern on the file's name")
    damage: Damage = "flip"
    """One bit turned, a block (4 KiB) of zeros, the second half cut off, gone, or two files' contents exchanged."""
    count: int = Field(default=1, ge=1, le=1000)
    """How many files, drawn from the experiment's seed; for ``swap`` pairs of files."""

    tools: ClassVar[tuple[str, ...]] = ("python3",)

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        here = quote(self.path)
        asked = {"verb": "list", "path": self.path, "match": self.match}
        found = ask(
            shell,
            {
                "directory": f"[ -d {here} ] && echo yes",
                "scratch": f"[ -e {here}/{SCRATCH} ] && echo yes",
                "files": f"[ ! -e {here}/{SCRATCH} ] || {_hands(asked)}",
            },
        )
        if not found["directory"]:
            raise UsageError(f"{self.path} is not a directory of the target")
        if not found["scratch"]:
            raise ScratchMarkMissing(
                f"{self.path} is not marked as scratch; if it is, say so with: touch {self.path}/{SCRATCH}"
            )
        try:
            there = json.loads(found["files"])
        except ValueError:
            raise CapabilityMissing(f"the files of {self.path} could not be read on the target") from None
        files = self._damaging(self._chosen(there["files"], context.seed), context.seed)
        words = {"path": self.path, "lease": context.lease_id, "directory": there["directory"]}
        means = Means(
            mechanism="bytes at rest, the originals kept in a folder of root's",
            inject=f"{_hands({**words, 'verb': 'damage'})} || exit 1\n",
            undo=f"{_hands({**words, 'verb': 'undo'})} || exit 1\n",
            residue=f"{_hands({**words, 'verb': 'residue'})}\n",
        )
        names = tuple(f"{self.path}/{file['name']}" for file in files)
        return Prepared(
            means, {"words": words, "files": files}, {"files": _hands({**asked, "verb": "state"})}, affected=names
        )

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        script = _hands({**data["words"], "verb": "sums"})
        changed = int(shell.run(script, stdin=self.stdin(data), sudo=True).out.strip() or len(data["files"]))
        return Reading(value=changed, unit="files that read otherwise", by="SHA-256 of the files")

    def stdin(self, data: dict[str, Any]) -> str:
        return json.dumps(data["files"])

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        bit = during.value > baseline.value
        return bit, f"{self.damage}: {during.value:g} of {len(data['files'])} files read otherwise than before"

    def _chosen(self, files: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
        wanted = self.count * 2 if self.damage == "swap" else self.count
        if len(files) < wanted:
            raise Refused(f"{self.kind}: {len(files)} files in {self.path} fit {self.match!r}, {wanted} are needed")
        ordered = sorted(files, key=lambda file: str(file["name"]))
        return random.Random(seed).sample(ordered, wanted)

    def _damaging(self, chosen: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
        """What is to be done to each file, as data."""
        dice, files = random.Random(f"{seed}/bytes"), []
        for place, file in enumerate(chosen):
            size = int(file["size"])
            at = dice.randrange(size)
            how: dict[str, Any] = {"act": self.damage}
            if self.damage == "flip":
                how |= {"at": at, "bit": dice.randrange(8)}
            elif self.damage == "zero":
                block = at // BLOCK_BYTES * BLOCK_BYTES
                how |= {"at": block, "bytes": min(BLOCK_BYTES, size - block)}
            elif self.damage == "truncate":
                how |= {"at": size // 2}
            elif self.damage == "swap":
                how |= {"other": place - 1 if place % 2 else place + 1}
            files.append({**file, **how})
        return files


def _hands(words: dict[str, Any]) -> str:
    """Shell text that does it on the target, by its own python3."""
    return f"python3 -I -c {quote(source('file_damage.py'))} {quote(json.dumps(words))}"
