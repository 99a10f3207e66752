"""Files whose bytes are not those that were written."""

from __future__ import annotations

import random
import zlib
from shlex import quote
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import Refused, ScratchMarkMissing, UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.scratch import SCRATCH
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import ask
from chaosday.model.fault import Reading
from chaosday.model.target import Shell

BLOCK_BYTES = 4096
Damage = Literal["flip", "zero", "truncate", "delete", "swap"]


class DataFiles(ScriptFault):
    """Damages files at rest below a directory that is marked as scratch, and puts them back.

    The mark is a file ``.chaosday-scratch`` in the directory. A file as it was is kept beside it, complete,
    before its first byte is touched; the undo puts back what was kept, with its times and its mode.
    """

    kind: Literal["data.files"] = "data.files"
    path: str = Field(default="/srv/data", pattern=r"^/[^\s'\\]*[^\s'\\/]$", description="A directory")
    match: str = Field(default="*", pattern=r"^[^'\n]+$", description="Shell pattern on the file's name")
    damage: Damage = "flip"
    """One bit turned, a block (4 KiB) of zeros, the second half cut off, gone, or two files' contents exchanged."""
    count: int = Field(default=1, ge=1, le=1000)
    """How many files, chosen by the lease's id; for ``swap`` pairs of files."""

    tools: ClassVar[tuple[str, ...]] = ("find", "sha256sum", "dd", "od", "cp", "stat")

    def prepare(self, shell: Shell, lease_id: str) -> Prepared:
        here, kept = quote(self.path), quote(f"{self.path}/.chaosday-kept-{lease_id}")
        sums = f"find {here} -type f ! -path '*/.chaosday-*' -name {quote(self.match)} -exec sha256sum {{}} +"
        found = ask(
            shell,
            {
                "directory": f"[ -d {here} ] && echo yes",
                "scratch": f"[ -e {here}/{SCRATCH} ] && echo yes",
                "files": f"find {here} -type f ! -path '*/.chaosday-*' -name {quote(self.match)} -size +0 "
                "-exec stat -c '%s %n' {} +",
                "sums": sums,
            },
        )
        if not found["directory"]:
            raise UsageError(f"{self.path} is not a directory of the target")
        if not found["scratch"]:
            raise ScratchMarkMissing(
                f"{self.path} is not marked as scratch; if it is, say so with: touch {self.path}/{SCRATCH}"
            )
        chosen = self._chosen(found["files"], lease_id)
        files = " ".join(quote(name) for name, _ in chosen)
        digests = {name: digest for digest, _, name in (line.partition("  ") for line in found["sums"].splitlines())}
        # Complete or not there at all: a copy that was cut short must never be put back.
        keep = (
            f"mkdir -p {kept} && n=0 && for f in {files}; do n=$((n + 1)); "
            f'cp -p "$f" {kept}/part && printf "%s" "$f" > {kept}/$n.name && mv {kept}/part {kept}/$n || exit 1; done\n'
            f"sync {kept}/* 2>/dev/null || sync\n"
        )
        # What somebody repaired in the meantime keeps its bytes: writing them again would show readers a file cut off.
        undo = (
            f'[ -d {kept} ] || exit 0\nfor n in {kept}/*.name; do o=${{n%.name}}; [ -e "$o" ] || continue; '
            'f=$(cat "$n"); cmp -s "$o" "$f" 2>/dev/null && cp -p --attributes-only "$o" "$f" 2>/dev/null || '
            'cp -p "$o" "$f" || exit 1; done\n'
            f"rm -rf {kept}\n"
        )
        means = Means(
            mechanism="bytes at rest, the originals kept beside them",
            inject=keep + self._damaging(chosen, lease_id),
            undo=undo,
            residue=f'[ ! -e {kept} ] || echo "files kept in {self.path}"\n',
        )
        data = {"sums": {name: digests[name] for name, _ in chosen}}
        listed = (
            f"{sums} | sort; find {here} -type f ! -path '*/.chaosday-*' -exec stat -c '%n %s %a %u %Y' {{}} + | sort"
        )
        return Prepared(means, data, {"files": listed}, affected=tuple(name for name, _ in chosen))

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        names = " ".join(quote(name) for name in data["sums"])
        said = shell.run(f"sha256sum {names} 2>/dev/null", sudo=True).out
        now = {name: digest for digest, _, name in (line.partition("  ") for line in said.splitlines())}
        changed = sum(now.get(name) != digest for name, digest in data["sums"].items())
        return Reading(value=changed, unit="files that read otherwise", by="SHA-256 of the files")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        bit = during.value > baseline.value
        return bit, f"{self.damage}: {during.value:g} of {len(data['sums'])} files read otherwise than before"

    def _chosen(self, listed: str, lease_id: str) -> list[tuple[str, int]]:
        files = []
        for line in listed.splitlines():
            size, _, name = line.partition(" ")
            if "'" not in name:
                files.append((name, int(size)))
        wanted = self.count * 2 if self.damage == "swap" else self.count
        if len(files) < wanted:
            raise Refused(f"{self.kind}: {len(files)} files in {self.path} fit {self.match!r}, {wanted} are needed")
        return random.Random(zlib.crc32(lease_id.encode())).sample(sorted(files), wanted)

    def _damaging(self, chosen: list[tuple[str, int]], lease_id: str) -> str:
        dice, lines = random.Random(f"{lease_id}/bytes"), []
        for place, (name, size) in enumerate(chosen):
            file, at = quote(name), dice.randrange(size)
            if self.damage == "flip":
                lines.append(
                    f"b=$(od -An -tu1 -j {at} -N 1 {file} | tr -d ' ') && "
                    f'printf "\\\\$(printf %03o $((b ^ {1 << dice.randrange(8)})))" | '
                    f"dd of={file} bs=1 seek={at} conv=notrunc 2>/dev/null || exit 1"
                )
            elif self.damage == "zero":
                block, length = (
                    at // BLOCK_BYTES * BLOCK_BYTES,
                    min(BLOCK_BYTES, size - at // BLOCK_BYTES * BLOCK_BYTES),
                )
                lines.append(
                    f"dd if=/dev/zero of={file} bs=1 count={length} seek={block} conv=notrunc 2>/dev/null || exit 1"
                )
            elif self.damage == "truncate":
                lines.append(f"dd if=/dev/null of={file} bs=1 seek={size // 2} 2>/dev/null || exit 1")
            elif self.damage == "delete":
                lines.append(f"rm {file} || exit 1")
            elif place % 2:
                other = quote(chosen[place - 1][0])
                kept = quote(f"{self.path}/.chaosday-kept-{lease_id}")
                lines.append(f"cat {kept}/{place} > {file} && cat {kept}/{place + 1} > {other} || exit 1")
        return "\n".join(lines) + "\n"
